"""A run that is stopped at any point changes no answer, and the next one completes it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from django.db import connection

from customers.models import Sensor
from readings.archive_models import ArchiveFile
from readings.models import Reading
from readings.storage.archive import archiving, files
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.leftovers import DETACHED
from readings.storage.archive.tests.test_archive import IN_MONTH
from readings.storage.archive.tests.world import MONTH, answers, fill

pytestmark = pytest.mark.django_db


class Stopped(Exception):  # noqa: N818 - stands for the end of the process
    pass


def stop(*_: object, **__: object) -> None:
    raise Stopped


def write_half(month: date, first_unit_id: int, rows: pl.DataFrame) -> None:
    """Leave half a file where the whole one belongs."""
    written = files.write(month, first_unit_id, rows)
    path = Path(files.archive_storage().path(written.name))
    path.write_bytes(path.read_bytes()[: written.byte_count // 2])
    raise Stopped


def drop_only_before(month: object) -> None:
    """Stop when the readings are in files already."""
    if ArchiveFile.objects.exists():
        raise Stopped


@pytest.mark.parametrize(
    ("point", "replacement"),
    [
        ("fetch", stop),
        ("write_file", write_half),
        ("content_hash", stop),
        ("_exchange", stop),
        ("lock_table", stop),
        ("record_event", stop),
        ("drop_detached", drop_only_before),
    ],
)
def test_the_next_run_completes_a_stopped_one(
    point: str, replacement: object, sensors: list[Sensor], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sensors)
    before = answers(sensors)
    with monkeypatch.context() as patch:
        patch.setattr(archiving, point, replacement)
        with pytest.raises(Stopped):
            archive_month(MONTH)
    assert repr(answers(sensors)) == repr(before)

    archive_month(MONTH)

    assert not Reading.objects.filter(**IN_MONTH).exists()
    assert repr(answers(sensors)) == repr(before)
    with connection.cursor() as cursor:
        cursor.execute(DETACHED)
        assert cursor.fetchall() == []
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet")) == sorted(
        ArchiveFile.objects.values_list("name", flat=True)
    )
