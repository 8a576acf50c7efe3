"""Stateless pseudo-random numbers: functions of a key and an index."""

import hashlib

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_MASK = (1 << 64) - 1
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def key_of(*parts: object) -> int:
    """Return a 64-bit key for these parts, the same in every process (unlike `hash`)."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def bits(key: int, index: Integers) -> NDArray[np.uint64]:
    """Return 64 well-mixed bits for each index (splitmix64), shaped as `index`."""
    x = index.astype(np.uint64) * _STEP + np.uint64(key & _MASK)
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


def uniform(key: int, index: Integers) -> Floats:
    """Return a number in [0, 1) for each index."""
    floats: Floats = (bits(key, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return floats


def bell(key: int, index: Integers) -> Floats:
    """Return numbers with mean 0 and standard deviation 1 within ±3.5: the sum of four 16-bit uniforms."""
    drawn = bits(key, index)
    total = np.zeros(index.shape, dtype=np.float64)
    for shift in (0, 16, 32, 48):
        total += ((drawn >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64)
    floats: Floats = (total / 65536.0 - 2.0) * 3.0**0.5
    return floats


def fraction(key: int) -> float:
    """Return one number in [0, 1) for a key, such as a constant of a unit."""
    return float(uniform(key, np.zeros(1, dtype=np.int64))[0])
