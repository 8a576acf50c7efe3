"""The sources of files in docs/sources.md come to the readings they show, and every setting has an example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings as site_settings
from pytest_django import Settings

from ingestion.models import Source
from ingestion.models.source_request import SourceFiles
from ingestion.polling.files.tests.file_servers import place_of
from ingestion.polling.tests.polling import polled
from readings.models import Reading
from readings.units.scales import from_celsius
from tests.factories import SourceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback_allowed")]

PAGE = (Path(site_settings.BASE_DIR) / "docs" / "sources.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```files\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"[^,]+\.\w+")


def fields_of(example: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in example.partition("---")[0].splitlines())


def files_of(text: str) -> dict[str, str]:
    """Return the files of an example by their names, each on a line of its own."""
    files: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if _FILE_NAME.fullmatch(line):
            name = line
            files[name] = ""
        else:
            files[name] += f"{line}\n"
    return files


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: fields_of(example)["ingestion_type"])
def test_a_documented_source_reads_its_files(example: str, tmp_path: Path, settings: Settings) -> None:
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    _, files, result = re.split(r"^---\n", example, flags=re.MULTILINE)
    values = fields_of(example)
    secret = values.pop("credentials_secret", "")
    source: Source = SourceFactory.build(customer=SourceFactory().customer, name="Files", **values)
    source.credentials_secret = secret
    with place_of(source, tmp_path) as put:
        source.full_clean()
        source.save()
        for name, text in files_of(files).items():
            put(name, text)
        if source.ingestion_type == "s3":
            assert polled(source) == []  # objects have just been written, so they are left once

        assert {each.status for each in polled(source)} == {"success"}

    found = Reading.objects.select_related("storage_unit").order_by("recorded_at")
    assert [
        f"{each.storage_unit.unit_code} {each.recorded_at:%Y-%m-%dT%H:%M:%S}"
        f" {from_celsius(each.temperature_c or 0.0, each.scale):g} {each.scale}"
        for each in found
    ] == result.splitlines()


def test_every_setting_has_an_example() -> None:
    used = {name for example in EXAMPLES for name in fields_of(example)}
    settable = {field.name for field in SourceFiles._meta.get_fields() if getattr(field, "editable", False)}

    assert settable - used == set()
    assert {fields_of(example)["credentials_kind"] for example in EXAMPLES} == {"none", "basic", "key"}
