"""The public id of a reading: a UUID that encodes unit, sensor and microsecond without revealing them.

A reading has no number of its own; it is identified by its key. The key's 122 bits fit into a UUID of version 8, and a
fixed mixing (a Feistel network of four rounds, which any round function makes reversible) spreads them over it. The
mixing is not secret and protects nothing: what a principal may see is decided by its scope. So its keys are fixed here
instead of derived from SECRET_KEY: an id stays the same when secrets are rotated, on every machine and after a restore.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

# The first digits of pi, which are visibly not chosen on purpose. Changing them would change every id.
ROUND_KEYS = tuple(map(np.uint64, (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89)))
_HALF = np.uint64((1 << 61) - 1)
_TIME_BITS = 60
_VERSION, _VARIANT = np.uint64(8 << 12), np.uint64(2 << 62)

Numbers = NDArray[np.uint64]


class ReadingKey(NamedTuple):
    """The key of a reading, its time in microseconds since 1970."""

    storage_unit_id: int
    sensor_id: int
    microseconds: int


def reading_ids(unit_ids: Sequence[int], sensor_ids: Sequence[int], microseconds: Sequence[int]) -> list[str]:
    """Return the public ids of these readings in lower case."""
    units, sensors = _numbers(unit_ids), _numbers(sensor_ids)
    left = (units << _shift(30)) | (sensors >> _shift(1))
    right = ((sensors & _shift(1)) << _shift(_TIME_BITS)) | _numbers(microseconds)
    for key in ROUND_KEYS:
        left, right = right, left ^ _mixed(right, key)
    high = ((left >> _shift(13)) << _shift(16)) | _VERSION | ((left >> _shift(1)) & _shift(0xFFF))
    low = _VARIANT | ((left & _shift(1)) << _shift(61)) | right
    return [_text(f"{a:016x}", f"{b:016x}") for a, b in zip(high.tolist(), low.tolist(), strict=True)]


def key_of(reading_id: UUID) -> ReadingKey | None:
    """Return the key encoded in an id, None if no reading can have it."""
    high, low = reading_id.int >> 64, reading_id.int & ((1 << 64) - 1)
    if (high >> 12) & 0xF != 8 or low >> 62 != 2:
        return None
    left = _numbers([((high >> 16) << 13) | ((high & 0xFFF) << 1) | ((low >> 61) & 1)])
    right = _numbers([low & int(_HALF)])
    for key in reversed(ROUND_KEYS):
        left, right = right ^ _mixed(left, key), left
    first, second = int(left[0]), int(right[0])
    return ReadingKey(first >> 30, ((first & ((1 << 30) - 1)) << 1) | (second >> _TIME_BITS), second & ((1 << 60) - 1))


def _mixed(half: Numbers, key: np.uint64) -> Numbers:
    """Apply the round function: any will do as long as it never changes."""
    mixed = (half ^ key) * _shift(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> _shift(32))) * _shift(0xD6E8FEB86659FD93)
    return (mixed ^ (mixed >> _shift(29))) & _HALF


def _numbers(values: Sequence[int]) -> Numbers:
    return np.array(values, dtype=np.uint64)


def _shift(number: int) -> np.uint64:
    return np.uint64(number)


def _text(high: str, low: str) -> str:
    return f"{high[:8]}-{high[8:12]}-{high[12:]}-{low[:4]}-{low[4:]}"
