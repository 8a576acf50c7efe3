"""An export is checked by one file that needs nothing of this system; whatever is changed in it is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from pytest_django import Settings

from customers.models import Customer
from readings.archive_models import ArchiveFile
from readings.models import ReadingRevision
from readings.storage.archive.archiving import archive_month
from readings.storage.closing import closes_at, start_of
from readings.storage.revisions import NewMeasurement, replace_measurement
from seals.tests.sealed_data import DAY, NEXT_DAY, arrive_late, seal_until, store_in_time
from seals.verify_export import check
from tests.factories import CustomerFactory, StorageUnitFactory, sensor_of, withdraw_readings

pytestmark = pytest.mark.django_db

CLOSE = closes_at(DAY)


@pytest.fixture
def customer() -> Customer:
    """Return a customer with two sealed days: readings in time, late, without a measurement, revised and withdrawn."""
    unit = StorageUnitFactory(facility__customer__customer_code="ACME", name="Kühlraum 7")
    store_in_time(unit, [5.0, -0.1, None, 6.5, 7.0])
    store_in_time(StorageUnitFactory(facility=unit.facility), [1.0])
    customer = unit.facility.customer
    seal_until(CLOSE, customer)
    arrive_late(unit, [9.0, 9.5], start=start_of(DAY) + timedelta(minutes=5), arrived_at=CLOSE + timedelta(hours=1))
    new = NewMeasurement(7.25, "F", 0.5, 2)
    replace_measurement(unit, sensor_of(unit).pk, start_of(DAY), new, by="anna", reason="The probe was swapped.")
    withdraw_readings(unit, start_of(DAY) + timedelta(hours=1))
    ReadingRevision.objects.update(revised_at=CLOSE + timedelta(hours=2))
    seal_until(closes_at(NEXT_DAY), customer)
    return customer


@pytest.fixture
def export(customer: Customer, tmp_path: Path) -> Path:
    path = tmp_path / "acme.zip"
    call_command("export_seals", customer.customer_code, str(path), stdout=StringIO())
    return path


def changed(export: Path, name: str, old: str, new: str) -> Path:
    """Return a copy of the export in which the first `old` in a file is `new`."""
    path = export.with_name("changed.zip")
    with ZipFile(export) as original, ZipFile(path, "w") as copy:
        for member in original.namelist():
            text = original.read(member).decode()
            assert member != name or old in text, text
            copy.writestr(member, text.replace(old, new, 1) if member == name else text)
    return path


def test_the_shipped_verifier_confirms_an_export_without_the_project(export: Path, tmp_path: Path) -> None:
    with ZipFile(export) as archive:
        archive.extract("verify_export.py", tmp_path)

    checked = subprocess.run(
        [sys.executable, "-I", "-S", "verify_export.py", "acme.zip"], cwd=tmp_path, capture_output=True, text=True
    )

    assert checked.stderr == ""
    assert "2 seals over 8 readings" in checked.stdout
    assert "all as sealed." in checked.stdout
    assert checked.returncode == 0


@pytest.mark.parametrize(
    ("name", "old", "new", "where"),
    [
        ("readings.csv", ",5.0,", ",5.1,", "readings of unit"),
        ("readings.csv", ",-0.1,", ",,", "readings of unit"),
        ("readings.csv", ",9.0,", ",9.1,", "readings of unit"),
        ("revisions.jsonl", "The probe was swapped.", "The probe was fine.", "revisions of seal 2"),
        ("entries.jsonl", '"action": "created"', '"action": "changed"', "entries of seal 1"),
        ("blocks.jsonl", '"count": 5', '"count": 6', "blocks of seal 1"),
        ("seals.jsonl", '"reading_count": 6', '"reading_count": 7', "seal 1 of 2026-06-01: its root"),
        ("seals.jsonl", '"sequence": 2', '"sequence": 3', "seal 3 of 2026-06-02: it follows seal 1"),
    ],
)
def test_a_change_in_any_file_is_found(export: Path, name: str, old: str, new: str, where: str) -> None:
    differences, _ = check(changed(export, name, old, new))

    assert any(where in difference for difference in differences), differences


def test_a_removed_inserted_or_moved_line_is_found(export: Path) -> None:
    with ZipFile(export) as archive:
        files = {name: archive.read(name).decode().splitlines(keepends=True) for name in archive.namelist()}
    for name in ("readings.csv", "entries.jsonl", "revisions.jsonl", "blocks.jsonl", "seals.jsonl"):
        first = 1 if name == "readings.csv" else 0
        lines = files[name]
        for edited in (
            lines[:first] + lines[first + 1 :],
            [*lines[: first + 1], lines[first], *lines[first + 1 :]],
            [*lines[:first], lines[first + 1], lines[first], *lines[first + 2 :]],
        ):
            path = export.with_name("edited.zip")
            with ZipFile(path, "w") as copy:
                for member, content in files.items():
                    copy.writestr(member, "".join(edited if member == name else content))
            assert check(path)[0], (name, edited)


def test_roots_kept_elsewhere_show_an_export_that_was_made_anew(export: Path, tmp_path: Path) -> None:
    roots = tmp_path / "roots.csv"
    call_command("export_roots", str(roots), stdout=StringIO())
    assert check(export, roots)[0] == []

    with ZipFile(export) as archive:
        root = json.loads(archive.read("seals.jsonl").splitlines()[1])["root"]
    roots.write_text(roots.read_text().replace(root, "0" * 64))
    assert check(export, roots)[0] == [f"seal 2: its root differs from the one in {roots}"]


def test_roots_of_a_former_code_belong_to_the_customer(customer: Customer, tmp_path: Path) -> None:
    """The file of roots was written while the customer had another code."""
    roots, path = tmp_path / "roots.csv", tmp_path / "later.zip"
    call_command("export_roots", str(roots), stdout=StringIO())
    Customer.objects.filter(pk=customer.pk).update(customer_code="RENAMED")
    call_command("export_seals", "RENAMED", str(path), stdout=StringIO())

    assert check(path, roots)[0] == []


def test_an_export_without_a_file_of_the_archive_says_which_is_missing(
    customer: Customer, settings: Settings, tmp_path: Path
) -> None:
    folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"archive": folder}
    archive_month(DAY)
    (file,) = ArchiveFile.objects.all()
    (tmp_path / file.name).unlink()

    with pytest.raises(CommandError, match=f"{file.name} of the archive of readings is missing. Copy it back"):
        call_command("export_seals", customer.customer_code, str(tmp_path / "part.zip"), stdout=StringIO())

    assert not (tmp_path / "part.zip").exists()


@pytest.mark.parametrize(
    "roots", ["customer,day,sequence,root\nACME,2026-06-01\n", "\0", 'customer\n"' + "x" * 200_000]
)
def test_a_damaged_file_of_roots_is_named(tmp_path: Path, roots: str) -> None:
    path = tmp_path / "roots.csv"
    path.write_text(roots)

    with pytest.raises(CommandError, match=f"{path} can't be read: "):
        call_command("verify_trail", roots=path, stdout=StringIO())
    verifier = [sys.executable, "-m", "seals.verify_export", str(export), "--roots", str(path)]
    assert subprocess.run(verifier, capture_output=True).returncode == 2


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("seals.jsonl", '"content": {', '"content": 5, "rest": {'),
        ("readings.csv", ",5.0,", ",5.0"),
        ("time_stamps.jsonl", "", "[]\n"),
    ],
)
def test_an_export_that_cannot_be_read_ends_with_a_code_of_its_own(export: Path, name: str, old: str, new: str) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "seals.verify_export", str(changed(export, name, old, new))],
        capture_output=True,
        text=True,
    )
    assert (checked.returncode, checked.stdout) == (2, "")
    assert "cannot be read: " in checked.stderr
    assert "Traceback" not in checked.stderr


def test_a_part_of_the_days_can_be_exported(customer: Customer, tmp_path: Path) -> None:
    path = tmp_path / "day.zip"
    call_command("export_seals", "ACME", str(path), since=NEXT_DAY, stdout=StringIO())

    differences, summary = check(path)
    assert differences == []
    assert summary.startswith("1 seals over 2 readings")


def test_an_unknown_customer_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no customer with the code “NOBODY”"):
        call_command("export_seals", "NOBODY", str(tmp_path / "x.zip"))


@pytest.mark.parametrize("command", [["export_roots"], ["export_seals", "ACME"]])
def test_an_export_that_fails_leaves_the_earlier_file(tmp_path: Path, command: list[str]) -> None:
    """The only roots outside the database are not lost because the database cannot be read today."""
    CustomerFactory(customer_code="ACME")
    path = tmp_path / "kept"
    call_command(*command, str(path), stdout=StringIO())
    before = path.read_bytes()
    with connection.execute_wrapper(_lose_seals), pytest.raises(OperationalError):
        call_command(*command, str(path), stdout=StringIO())

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["", "missing/export"])
@pytest.mark.parametrize("command", [["export_roots"], ["export_seals", "ACME"]])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, command: list[str], name: str) -> None:
    CustomerFactory(customer_code="ACME")
    path = tmp_path / name
    with pytest.raises(CommandError, match=f"{path} can't be written: (Is a directory|No such file or directory)"):
        call_command(*command, str(path))


def test_an_export_can_be_written_to_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    call_command("export_roots", str(pipe), stdout=StringIO())
    assert os.read(reader, 1000) == b"customer,day,sequence,root\r\n"
    os.close(reader)
    assert pipe.is_fifo()


def _lose_seals(
    execute: Callable[..., object], sql: str, params: object, many: bool, context: dict[str, object]
) -> object:
    """Fail the statements that read seals, as when the database goes away."""
    if "day_seal" in sql:
        raise OperationalError("the connection is lost")
    return execute(sql, params, many, context)
