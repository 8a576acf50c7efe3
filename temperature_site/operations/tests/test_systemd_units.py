"""The services of systemd follow the Procfile."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from honcho.environ import parse_procfile
from pytest_django import Settings

from temperature_site.operations.service_installation import plan
from temperature_site.operations.systemd_units import DOCUMENTED, TARGET, Installation, unit_files

ROOT = Path(settings.BASE_DIR)
PROCFILE = (ROOT / "Procfile").read_text()
EXAMPLES = ROOT / "deploy" / "systemd"
FILES = "django.core.files.storage.FileSystemStorage"
MEMORY = "django.core.files.storage.InMemoryStorage"


def test_the_shipped_units_are_those_of_the_procfile() -> None:
    """`manage.py install_service --write` updates them."""
    shipped = {path.name: path.read_text() for path in EXAMPLES.iterdir()}
    assert shipped == unit_files(PROCFILE, DOCUMENTED)


def test_every_process_but_the_simulator_has_a_service_that_the_target_starts() -> None:
    processes = set(parse_procfile(PROCFILE).processes) - {"simulator"}
    units = unit_files(PROCFILE, DOCUMENTED)
    (wanted,) = re.findall(r"^Wants=(.*)$", units[TARGET], re.MULTILINE)
    assert set(wanted.split()) == {f"temperature-{name}.service" for name in processes} == set(units) - {TARGET}


@pytest.mark.parametrize(("name", "command"), sorted(parse_procfile(PROCFILE).processes.items()))
def test_no_process_needs_a_shell_or_a_path(name: str, command: str) -> None:
    program = command.split()[0]
    assert not re.search(r"[$`|&;<>(){}*?~\\]", command)
    assert program.startswith(".venv/bin/")


def test_special_characters_of_paths_and_commands_are_taken_literally() -> None:
    installation = Installation(Path("/srv/my 100%"), Path("/srv/a b"), "cold")
    unit = unit_files("web: bin/serve --name 'a b$c%'", installation)["temperature-web.service"]
    assert 'ExecStart="/srv/my 100%%/bin/serve" --name "a b$$c%%"\n' in unit
    assert "WorkingDirectory=/srv/my 100%%\n" in unit
    assert 'ReadWritePaths="/srv/a b"\n' in unit


def test_the_services_may_write_archived_readings_wherever_their_folder_is(tmp_path: Path, settings: Settings) -> None:
    """ARCHIVE_DIR is a share on more than one machine, which is not in the data directory."""
    archive = {"BACKEND": FILES, "OPTIONS": {"location": str(tmp_path / "the share")}}
    settings.STORAGES = settings.STORAGES | {"archive": archive}
    call_command("install_service", "--destdir", str(tmp_path), "--apply", stdout=io.StringIO())

    unit = (tmp_path / "etc" / "systemd" / "system" / "temperature-slow-worker.service").read_text()

    (writable,) = re.findall("^ReadWritePaths=(.*)$", unit, re.MULTILINE)
    assert shlex.split(writable) == [str(settings.DATA_DIR), f"-{tmp_path}/the share"]


def test_a_bucket_of_archived_readings_is_no_folder(tmp_path: Path, settings: Settings) -> None:
    settings.STORAGES = settings.STORAGES | {"archive": {"BACKEND": MEMORY}}
    call_command("install_service", "--destdir", str(tmp_path), "--apply", stdout=io.StringIO())
    unit = (tmp_path / "etc" / "systemd" / "system" / "temperature-slow-worker.service").read_text()
    assert f"ReadWritePaths={settings.DATA_DIR}\n" in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units_and_rates_them_as_sandboxed(tmp_path: Path) -> None:
    installation = Installation(ROOT, tmp_path, DOCUMENTED.user)
    for name, text in unit_files(PROCFILE, installation).items():
        (tmp_path / name).write_text(text)
    units = sorted(str(path) for path in tmp_path.iterdir())

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    about_ours = [line for line in verified.stderr.splitlines() if "temperature" in line]
    assert (verified.returncode, about_ours) == (0, [])

    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(tmp_path / "temperature-web.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rated.returncode == 0, rated.stdout


def test_installing_shows_the_steps_and_changes_nothing(tmp_path: Path) -> None:
    output = io.StringIO()
    call_command("install_service", "--destdir", str(tmp_path), stdout=output)
    assert f"write  {tmp_path}/etc/systemd/system/{TARGET} (new)" in output.getvalue()
    assert "Nothing was changed." in output.getvalue()
    assert list(tmp_path.iterdir()) == []


def test_installing_writes_the_units_once(tmp_path: Path) -> None:
    call_command("install_service", "--destdir", str(tmp_path), "--apply", stdout=io.StringIO())
    folder = tmp_path / "etc" / "systemd" / "system"
    assert {path.name for path in folder.iterdir()} == set(unit_files(PROCFILE, DOCUMENTED))
    assert f"ExecStart={ROOT}/.venv/bin/" in (folder / "temperature-worker.service").read_text()

    again = io.StringIO()
    call_command("install_service", "--destdir", str(tmp_path), stdout=again)
    assert "(new)" not in again.getvalue()
    assert "(changed)" not in again.getvalue()


def test_on_a_machine_it_creates_user_and_data_directory_before_and_enables_the_target_after(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SECRET_KEY=x")
    installation = Installation(tmp_path, Path("/var/lib/cold"), "no-such-user")
    lines = [line.split(maxsplit=1)[1] for line in plan({"a.target": ""}, installation).lines()]
    assert lines == [
        "useradd --system --home-dir /var/lib/cold --shell /usr/sbin/nologin no-such-user",
        "install --directory --owner=no-such-user --group=no-such-user --mode=0750 /var/lib/cold",
        f"chown root:no-such-user {tmp_path}/.env",
        f"chmod 0640 {tmp_path}/.env",
        "/etc/systemd/system/a.target (new)",
        "systemctl daemon-reload",
        "systemctl enable temperature.target",
    ]


def test_on_a_machine_it_creates_a_missing_folder_of_archived_readings_and_leaves_a_share_alone(tmp_path: Path) -> None:
    for folder, is_created in ((tmp_path / "missing", True), (tmp_path, False)):
        installation = Installation(tmp_path, Path("/var/lib/cold"), "root", folder)
        created = [line for line in plan({}, installation).lines() if line.endswith(f"--mode=0750 {folder}")]
        assert bool(created) == is_created
