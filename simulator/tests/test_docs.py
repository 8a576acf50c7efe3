"""What the documentation promises, and what it must not forget."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from simulator.model.faults import FAULT_KINDS
from simulator.model.fleet import CsvDialect, Customer, DataQuality, ScriptedFault, Unit
from simulator.model.simulation import Simulation
from simulator.model.transport import TransportSettings
from simulator.server.app import make_application

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
COMMANDS = sorted(path.stem for path in (ROOT / "simulator/management/commands").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", [*COMMANDS, *FAULT_KINDS, *asdict(TransportSettings())])
def test_commands_faults_and_transport_settings_are_documented(name: str) -> None:
    assert f"`{name}" in TEXT


@pytest.mark.parametrize("kind", [Customer, Unit, DataQuality, CsvDialect, ScriptedFault])
def test_fields_of_fleet_files_are_documented(
    kind: type[Customer | Unit | DataQuality | CsvDialect | ScriptedFault],
) -> None:
    assert [field.name for field in fields(kind) if f"`{field.name}`" not in TEXT] == []


def test_endpoints_are_documented(simulation: Simulation) -> None:
    paths = {resource.canonical for resource in make_application(simulation, "A").router.resources()}
    own = sorted(path for path in paths if not path.startswith("/c/"))
    assert [path for path in own if f"GET {path}`" not in TEXT and f"POST {path}`" not in TEXT] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_options_of_commands_are_documented(command: str) -> None:
    options = option_strings(load_command_class("simulator", command)) - option_strings(BaseCommand())
    assert sorted(option for option in options if option not in TEXT) == []


def option_strings(command: BaseCommand) -> set[str]:
    parser = command.create_parser("manage.py", "command")
    return {option for action in parser._actions for option in action.option_strings}
