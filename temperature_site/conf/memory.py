"""Have the memory allocators return what a large body took to the operating system, instead of keeping it for the next.

A process parses in several allocators: Python and libpq use the C library's, polars brings jemalloc. Both keep freed
memory for a while, each in an arena per thread, so that what a process takes would add up over the bodies it has seen.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from enum import IntEnum

MEBIBYTE = 1 << 20

# Read by jemalloc when polars is imported. Freed pages are returned at once rather than over ten seconds.
_JEMALLOC = "_RJEM_MALLOC_CONF"
_JEMALLOC_OPTIONS = "dirty_decay_ms:0,muzzy_decay_ms:0"


class _Option(IntEnum):
    """Options of glibc's `mallopt`, with their numbers in malloc.h."""

    TRIM_THRESHOLD = -1
    MMAP_THRESHOLD = -3
    ARENA_MAX = -8


_OPTIONS: Mapping[_Option, int] = {
    # Of free memory at the end of a heap; more is returned.
    _Option.TRIM_THRESHOLD: MEBIBYTE,
    # Blocks from this size on are mapped, and unmapped when they are freed. Setting it also stops glibc from raising it
    # to the largest block that was ever freed. Mapping the texts and columns of a batch each time takes a fifth longer.
    _Option.MMAP_THRESHOLD: 4 * MEBIBYTE,
    _Option.ARENA_MAX: 2,
}


def return_memory_early() -> None:
    """Set the allocators' options, before polars is imported. Other C libraries than glibc have no such options."""
    os.environ.setdefault(_JEMALLOC, _JEMALLOC_OPTIONS)
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for option, value in _OPTIONS.items():
            set_option(option.value, value)
