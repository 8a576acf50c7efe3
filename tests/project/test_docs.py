"""The documentation lists every setting, command and dependency, and its links work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(settings.BASE_DIR)
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
ROOMS = ("customers", "readings", "seals", "ingestion", "alarms", "simulator", "temperature_site")


def settings_read() -> list[str]:
    """Return the names of the settings that are read from the environment."""
    sources = (path.read_text() for path in (ROOT / "temperature_site").glob("*.py"))
    return sorted({name for source in sources for name in re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source)})


@pytest.mark.parametrize("name", settings_read())
def test_every_setting_has_its_row_in_the_readme(name: str) -> None:
    assert f"\n| `{name}` |" in README


def test_the_readme_lists_no_unknown_setting() -> None:
    table = README.split("## Settings")[1].split("\n## ")[0]
    assert set(re.findall(r"\n\| `([A-Z_]+)` \|", table)) == set(settings_read())


@pytest.mark.parametrize("command", sorted(name for name, app in get_commands().items() if app in ROOMS))
def test_every_command_is_in_the_readme(command: str) -> None:
    table = README.split("## Commands")[1].split("\n## ")[0]
    assert re.search(rf"\b{command}\b", table)


def direct_requirements() -> list[str]:
    text = (ROOT / "requirements.txt").read_text().split("\n\n")[0]
    return re.findall(r"^([\w-]+)(?:\[\w+\])?==", text, re.MULTILINE)


@pytest.mark.parametrize("library", direct_requirements())
def test_every_dependency_has_its_reason_in_the_architecture(library: str) -> None:
    dependencies = (ROOT / "docs" / "architecture.md").read_text().split("## Dependencies")[1]
    assert re.search(rf"^\|[^|]*\b{library}\b[^|]*\|", dependencies, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    missing = [link for link in links if not (document.parent / link).exists()]
    assert missing == []
