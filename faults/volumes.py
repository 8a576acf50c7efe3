"""A small file system of one's own, in memory, which can be filled to the last byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from temperature_site.dev.embedded_postgres.server import is_root

SIZE = "1200m"
_PIECE_BYTES = 4096


class Volume:
    """A folder on which a file system is mounted, if this process may do so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_mounted = False

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount a file system in memory, of limited size, if this process is root; unmount it afterwards."""
        self.folder.mkdir(exist_ok=True)
        if is_root():
            command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(self.folder)]
            self.is_mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
        try:
            yield
        finally:
            if self.is_mounted:
                subprocess.run(["umount", "--lazy", str(self.folder)], check=False)

    @contextmanager
    def filled(self) -> Iterator[None]:
        """Leave no free space, and free it again afterwards."""
        assert self.is_mounted
        ballast = self.folder / "ballast"
        try:
            self._fill(ballast)
            yield
        finally:
            ballast.unlink(missing_ok=True)

    def _fill(self, ballast: Path) -> None:
        with ballast.open("wb", buffering=0) as file:
            free = os.statvfs(self.folder)
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize))
                file.seek(0, os.SEEK_END)
                while file.write(bytes(_PIECE_BYTES)) == _PIECE_BYTES:
                    pass
            except OSError:
                return  # full
