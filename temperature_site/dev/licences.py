"""The licences of the packages that the system runs on, from the metadata of what is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, metadata

from django.conf import settings

HEADER = """# Licences of dependencies

Generated from the packages' own metadata by `manage.py licences --write`; a test checks that it is up to date. The
versions are in `requirements.txt`, their hashes in `requirements.lock`.

| package | licence |
| --- | --- |
"""
# A package that states its licence in a text only.
_LONGEST = 60
_UNCLEAR = frozenset({"", "UNKNOWN", "Dual License"})


def document() -> str:
    """Return the page."""
    return HEADER + "".join(f"| {name} | {_licence(metadata(name))} |\n" for name in required_packages())


def required_packages() -> list[str]:
    """Return the names of the packages in requirements.txt, in alphabetical order."""
    text = (settings.BASE_DIR / "requirements.txt").read_text(encoding="utf-8")
    return sorted(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[\w,]+\])?==", text, re.MULTILINE), key=str.lower)


def _licence(package: PackageMetadata) -> str:
    """Return the licence as an SPDX expression where the package states one, else as it states it."""
    stated = _first(package, "License-Expression") or _first(package, "License")
    if stated not in _UNCLEAR and len(stated) <= _LONGEST:
        return stated
    return ", ".join(_classifiers(package)) or "see the package"


def _classifiers(package: PackageMetadata) -> Iterator[str]:
    for classifier in package.get_all("Classifier") or []:
        if classifier.startswith("License :: "):
            yield classifier.rpartition(" :: ")[2]


def _first(package: PackageMetadata, field: str) -> str:
    """Return the first line of a field, empty without it."""
    values = package.get_all(field) or [""]
    return str(values[0]).strip().partition("\n")[0].strip()
