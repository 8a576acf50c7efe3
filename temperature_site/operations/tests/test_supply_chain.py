"""The lists of what the system runs on agree with each other: requirements, hashes, licences, bill of materials."""

from __future__ import annotations

import json
import re
from pathlib import Path

from django.conf import settings

from temperature_site.dev.licences import document

ROOT = Path(settings.BASE_DIR)
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[\w,]+\])?==([^\s\\;]+)", re.MULTILINE)


def pinned(name: str) -> set[tuple[str, str]]:
    """Return the packages that a file pins, with their names as PyPI normalizes them."""
    return {(normalized(package), version) for package, version in PINNED.findall((ROOT / name).read_text())}


def normalized(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def test_the_hashes_are_those_of_the_requirements() -> None:
    """`make lock` updates them."""
    assert pinned("requirements.lock") == pinned("requirements.txt")


def test_every_package_has_a_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", lock.partition("\n")[2])
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_bill_of_materials_lists_the_requirements() -> None:
    """`make sbom` updates it."""
    components = json.loads((ROOT / "docs" / "sbom.cdx.json").read_text())["components"]
    listed = {(normalized(component["name"]), component["version"]) for component in components}
    assert listed == pinned("requirements.txt")


def test_the_list_of_licences_is_up_to_date() -> None:
    """`manage.py licences --write` updates it."""
    assert (ROOT / "docs" / "licences.md").read_text() == document()
