"""The structure of the code base: sizes of folders, modules and functions, as docs/style.md describes."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

from django.conf import settings

PACKAGES = ("core", "audit", "customers", "readings", "seals", "alarms", "ingestion", "simulator", "temperature_site")
MAX_MODULES_PER_FOLDER = 20
MAX_MODULE_LINES = 400
MIN_MODULE_LINES = 40
MAX_FUNCTION_LINES = 50
MAX_MEDIAN_FUNCTION_LINES = 8
MAX_LINES_WITH_ANY = 200
# Words that the glossary of docs/style.md has replaced.
OLD_NAMES = frozenset({
    "Arrival", "Intake", "ReadingColumns", "Walk", "addressing", "amiss", "anew", "authors", "back_office", "callers",
    "examination", "glance", "granting", "handling", "intake", "mend", "packed_parts", "places", "pulse", "put_down",
    "remembered", "rulebook", "signs_of_life", "stands", "storms", "stretches", "suspects", "take_in", "taken_up",
    "telling", "weighing",
})  # fmt: skip
# Modules that Django, DRF or Celery expect under these names, however short; `base` is a database backend.
FRAMEWORK_MODULES = {
    "__init__.py",
    "apps.py",
    "admin.py",
    "urls.py",
    "tasks.py",
    "models.py",
    "wsgi.py",
    "conftest.py",
    "base.py",
}
FRAMEWORK_FOLDERS = {"admin", "models", "commands", "templatetags", "middleware"}


def tracked_modules(*patterns: str) -> list[Path]:
    """Return every Python module at these patterns except migrations, relative to the project."""
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(line) for line in listed.stdout.splitlines() if "/migrations/" not in line]


EVERYTHING = tracked_modules("*.py")
MODULES = tracked_modules(*(f"{package}/*.py" for package in PACKAGES))
CODE = [path for path in MODULES if "tests" not in path.parts and path.name != "conftest.py"]


def is_expected_by_a_framework(path: Path) -> bool:
    """Return whether a framework determines that this module exists."""
    is_named = path.name in FRAMEWORK_MODULES or path.name.endswith("urls.py")
    return is_named or bool(FRAMEWORK_FOLDERS & set(path.parts))


@cache
def lines_of(path: Path) -> list[str]:
    """Return the lines of a module."""
    return (settings.BASE_DIR / path).read_text(encoding="utf-8").splitlines()


@cache
def definitions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Return the classes and functions of a module."""
    tree = ast.parse("\n".join(lines_of(path)))
    defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in ast.walk(tree) if isinstance(node, defining)]


def function_lengths(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the length of each function of a module, with its name."""
    for node in definitions(path):
        if not isinstance(node, ast.ClassDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1, node.name


def test_folders_have_few_modules() -> None:
    modules = Counter(str(path.parent) for path in EVERYTHING if path.name != "__init__.py")

    assert {folder: count for folder, count in modules.items() if count > MAX_MODULES_PER_FOLDER} == {}


def test_modules_have_a_readable_length() -> None:
    lines = {str(path): len(lines_of(path)) for path in EVERYTHING}

    assert {path: count for path, count in lines.items() if count > MAX_MODULE_LINES} == {}


def test_modules_are_no_fragments() -> None:
    lines = {str(path): len(lines_of(path)) for path in CODE if not is_expected_by_a_framework(path)}

    assert {path: count for path, count in lines.items() if count < MIN_MODULE_LINES} == {}


def test_functions_are_short() -> None:
    found = [(path, name, length) for path in CODE for length, name in function_lengths(path)]

    assert [f"{path}: {name}" for path, name, length in found if length > MAX_FUNCTION_LINES] == []


def test_functions_are_short_on_the_whole() -> None:
    lengths = [length for path in CODE for length, _ in function_lengths(path)]

    assert median(lengths) <= MAX_MEDIAN_FUNCTION_LINES


def test_what_is_defined_has_none_of_the_old_names() -> None:
    of_paths = [(path, name) for path in EVERYTHING for name in (path.stem, *path.parts[:-1])]
    defined = [(path, node.name) for path in EVERYTHING for node in definitions(path)]

    assert [f"{path}: {name}" for path, name in of_paths + defined if name.strip("_") in OLD_NAMES] == []


def test_few_lines_escape_type_checking() -> None:
    lines = [line for path in CODE for line in lines_of(path)]

    assert len([line for line in lines if re.search(r"\bAny\b", line)]) <= MAX_LINES_WITH_ANY


def test_every_ignored_type_error_states_its_code_and_reason() -> None:
    ignored = re.compile(r"#\s*type: ignore(?!\[[a-z-]+(, [a-z-]+)*\]  # \w)")
    found = [
        f"{path}:{number}"
        for path in EVERYTHING
        for number, line in enumerate(lines_of(path), start=1)
        if ignored.search(line)
    ]

    assert found == []


def test_no_package_has_a_single_module() -> None:
    packages = {path.parent for path in CODE if path.name not in {"__init__.py", "base.py"} and len(path.parts) > 2}
    packages -= {folder for folder in packages if folder.name in FRAMEWORK_FOLDERS or "management" in folder.parts}
    single = [
        folder
        for folder in sorted(packages)
        if len([path for path in CODE if path.is_relative_to(folder) and path.name != "__init__.py"]) < 2
    ]

    assert single == []
