"""Files that commands export: a file that is there already is replaced only by a complete one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.core.management.base import CommandError


@contextmanager
def exported_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be written that takes the place of `path` at the end, unless an error ends the export before.

    An earlier export may be the only proof of what was sealed. Raise CommandError if the file cannot be written.
    """
    try:
        with _opened(path.resolve()) as file:
            yield file
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror}") from error


@contextmanager
def _opened(target: Path) -> Iterator[BinaryIO]:
    if target.exists() and not target.is_file():
        # Such as /dev/stdout, which nothing may take the place of.
        with target.open("wb") as file:
            yield file
        return
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            yield file
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
