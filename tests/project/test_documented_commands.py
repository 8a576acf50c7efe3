"""Every command in the README and the documentation works on the demo as it is written."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command, get_commands, load_command_class
from pytest_django import Settings

from customers.models import StorageUnit
from ingestion.models import Source
from simulator.base.clock import SetClock
from simulator.model.fleet_file import load_fleet
from simulator.model.simulation import Simulation
from simulator.server.run import served_in_thread
from temperature_site.dev import demo

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# These run until stopped, ask questions, need another database, or belong to Django; their arguments are checked.
NOT_RUN = {
    "backup",
    "doctor",
    "restore",
    "run",
    "runsimulator",
    "subscriber",
    "createsuperuser",
    "migrate",
    "collectstatic",
    "shell",
    "check",
}
COMMAND = re.compile(
    r"(?:^|[` ])(?:\.venv/bin/python |python )?manage\.py ([a-z][a-z_-]*(?: [^`\n#|]+)?)(?=[`\n#]|$)", re.M
)
TARGET = re.compile(r"(?:^|`)(?:[A-Z]+=\S+ )?make ([a-z]+)", re.M)


def written_commands() -> list[str]:
    """Return the commands in the order of the documents: later ones use what earlier ones wrote."""
    found = [match.strip() for path in DOCUMENTS for match in COMMAND.findall(path.read_text())]
    return list(dict.fromkeys(found))


def parsed(command: str) -> tuple[str, list[str]]:
    name, *arguments = shlex.split(command)
    return name.replace("-", "_"), arguments


def takes(name: str, arguments: list[str]) -> bool:
    """Return whether a command exists and takes these arguments."""
    command = load_command_class(get_commands()[name], name)
    try:
        command.create_parser("manage.py", name).parse_args(arguments)
    except CommandError:
        return False
    return True


@pytest.fixture
def running_demo(db: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Load the demo, poll its customer A once, and change to an empty folder."""
    settings.DEMO = True
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    demo.load()
    simulation = Simulation(load_fleet("default").only(["A"]), clock=SetClock(datetime.now(UTC)))
    with served_in_thread(simulation) as urls:
        for source in Source.objects.filter(customer__customer_code="A"):
            source.url = source.url.replace("http://localhost:8001", urls["A"])
            source.structure_url = source.structure_url.replace("http://localhost:8001", urls["A"])
            source.save()
        call_command("poll", "A", stdout=io.StringIO())
        monkeypatch.chdir(tmp_path)
        (tmp_path / "generated_data").mkdir()
        yield


def test_the_documents_hold_commands() -> None:
    assert len(written_commands()) > 20
    assert "poll A" in written_commands()


@pytest.mark.parametrize("command", written_commands())
def test_a_written_command_takes_its_arguments(command: str) -> None:
    name, arguments = parsed(command)
    # A name alone may be a mention of the command; a file is checked where the commands run.
    assert name in get_commands()
    assert not arguments or "--fleet" in arguments or takes(name, arguments)


# Nothing of the demo runs here that would deliver the notification within no time.
EXPECTED_FAILURES = {
    "drill A": "Not every notification was delivered.",
    "restore_readings 2024-03": "2024-03 is not archived.",
}


@pytest.mark.usefixtures("running_demo")
def test_the_written_commands_run_on_the_demo() -> None:
    assert StorageUnit.objects.filter(facility__customer__customer_code="A").exists()
    failures = {}
    for command in written_commands():
        name, arguments = parsed(command)
        if name in NOT_RUN or not takes(name, arguments):
            continue
        arguments += ["--seconds", "0"] if name == "drill" else []
        try:
            call_command(name, *arguments, stdout=io.StringIO(), stderr=io.StringIO())
        except CommandError as error:
            failures[command] = str(error)

    assert failures == EXPECTED_FAILURES


@pytest.mark.parametrize("target", sorted({name for path in DOCUMENTS for name in TARGET.findall(path.read_text())}))
def test_a_written_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


def test_polling_an_unknown_customer_says_that_there_is_none(db: None) -> None:
    with pytest.raises(CommandError, match=r"There is no customer NOPE\."):
        call_command("poll", "NOPE")
