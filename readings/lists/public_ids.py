"""The public id of a reading: a UUID that encodes unit, sensor and microsecond without revealing them.

A reading has no number of its own; it is identified by its key. The key's 122 bits fit into a UUID of version 8, and a
fixed mixing (a Feistel network of four rounds, which any round function makes reversible) spreads them over it. The
mixing is not secret and protects nothing: what a principal may see is decided by its scope. So its keys are fixed here
instead of derived from SECRET_KEY: an id stays the same when secrets are rotated, on every machine and after a restore.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

# The first digits of pi, which are visibly not chosen on purpose. Changing them would change every id.
ROUND_KEYS = (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89)
_HALF = (1 << 61) - 1
_TIME_BITS = 60
_VERSION, _VARIANT = 8 << 12, 2 << 62
# The places of the digits in an id's text: between its dashes.
_DIGITS = np.array([place for place in range(36) if place not in (8, 13, 18, 23)])

Numbers = NDArray[np.uint64]


class ReadingKey(NamedTuple):
    """The key of a reading, its time in microseconds since 1970."""

    storage_unit_id: int
    sensor_id: int
    microseconds: int


def reading_ids(unit_ids: Sequence[int], sensor_ids: Sequence[int], microseconds: Sequence[int]) -> list[str]:
    """Return the public ids of these readings in lower case."""
    units, sensors = _numbers(unit_ids), _numbers(sensor_ids)
    left = (units << _number(30)) | (sensors >> _number(1))
    right = ((sensors & _number(1)) << _number(_TIME_BITS)) | _numbers(microseconds)
    for key in ROUND_KEYS:
        left, right = right, left ^ _mixed(right, key)
    high = ((left >> _number(13)) << _number(16)) | _number(_VERSION) | ((left >> _number(1)) & _number(0xFFF))
    low = _number(_VARIANT) | ((left & _number(1)) << _number(61)) | right
    return _texts(np.stack([high, low], axis=1))


def key_of(reading_id: UUID) -> ReadingKey | None:
    """Return the key encoded in an id, None if no reading can have it."""
    high, low = reading_id.int >> 64, reading_id.int & ((1 << 64) - 1)
    if (high >> 12) & 0xF != 8 or low >> 62 != 2:
        return None
    left = _numbers([((high >> 16) << 13) | ((high & 0xFFF) << 1) | ((low >> 61) & 1)])
    right = _numbers([low & _HALF])
    for key in reversed(ROUND_KEYS):
        left, right = right ^ _mixed(left, key), left
    first, second = int(left[0]), int(right[0])
    return ReadingKey(first >> 30, ((first & ((1 << 30) - 1)) << 1) | (second >> _TIME_BITS), second & ((1 << 60) - 1))


def _mixed(half: Numbers, key: int) -> Numbers:
    """Apply the round function: any will do as long as it never changes."""
    mixed = (half ^ _number(key)) * _number(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> _number(32))) * _number(0xD6E8FEB86659FD93)
    return (mixed ^ (mixed >> _number(29))) & _number(_HALF)


def _numbers(values: Sequence[int]) -> Numbers:
    return np.array(values, dtype=np.uint64)


@cache
def _number(number: int) -> Numbers:
    """Return a constant as an array, with which numpy calculates several times as fast as with a scalar."""
    return np.array(number, dtype=np.uint64)


def _texts(halves: Numbers) -> list[str]:
    """Return the texts of ids from their halves, as str(UUID(...)) would."""
    texts = np.full((len(halves), 36), b"-", "S1")
    texts[:, _DIGITS] = np.frombuffer(halves.astype(">u8").tobytes().hex().encode(), "S1").reshape(-1, 32)
    ids: list[str] = texts.view("S36").ravel().astype(str).tolist()
    return ids
