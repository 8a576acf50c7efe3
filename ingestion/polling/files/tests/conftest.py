"""A folder of files, and the source that reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from ingestion.models import Source
from tests.factories import SourceFactory


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    return folder


@pytest.fixture
def source(folder: Path) -> Source:
    return SourceFactory(ingestion_type="folder", url=f"file://{folder}/*.csv")
