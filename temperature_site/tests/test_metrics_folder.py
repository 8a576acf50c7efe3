"""A full disk costs metrics, never a web process."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from temperature_site.metrics_folder import FILE_BYTES, VARIABLE, allocate_file, prepare_folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, "as before")
    folder = tmp_path / "metrics"
    prepare_folder(folder)
    return folder


def test_the_space_of_a_processs_metrics_is_allocated_before_they_are_written(folder: Path) -> None:
    allocate_file(folder)

    (file,) = folder.iterdir()
    assert file.name == f"histogram_{os.getpid()}.db"
    assert file.stat().st_blocks * 512 >= FILE_BYTES
    assert os.environ[VARIABLE] == str(folder)


def test_a_process_without_space_keeps_its_metrics_to_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)

    allocate_file(folder)

    assert list(folder.iterdir()) == []
    assert VARIABLE not in os.environ


def test_a_folder_that_cannot_be_created_is_gone_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    prepare_folder(tmp_path / "file" / "metrics")
    assert VARIABLE not in os.environ
