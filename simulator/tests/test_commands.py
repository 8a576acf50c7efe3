from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from signal import Signals

import pytest
from django.core.management import CommandError, call_command

from simulator.tests.asking import get, post

Start = Callable[..., tuple[subprocess.Popen[str], list[str]]]

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def test_list_templates_shows_every_template() -> None:
    text = run("list_templates")
    for name in ("pharmaceutical", "food_storage", "small_business", "industrial"):
        assert name in text
    assert "-80 to -60 °C" in text


def test_show_fleet_counts_the_default_fleet() -> None:
    text = run("show_fleet")
    assert "Pharma Corp A" in text
    assert text.endswith("10 customers, 21 facilities, 94 storage units\n")


def test_show_fleet_lists_the_units_of_some_customers() -> None:
    text = run("show_fleet", "--customers", "A,J", "--units")
    assert "Ultra-Low Freezer 6" in text
    assert text.count("every") == 2 + 11
    assert text.endswith("2 customers, 3 facilities, 11 storage units\n")


def test_generate_fleet_writes_a_fleet_that_show_fleet_reads(tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    made = run("generate_fleet", str(file), "--count", "30", "--seed", "4", "--mix", "industrial=1,food_storage=1")
    assert made.startswith(f"{file}: 30 customers, ")
    assert run("show_fleet", "--fleet", str(file)).splitlines()[-1] == made.strip().removeprefix(f"{file}: ")


def test_generate_fleet_writes_the_customers_of_the_assignment(tmp_path: Path) -> None:
    run("generate_fleet", str(tmp_path / "fleet.json"), "--assignment")
    assert [each["code"] for each in json.loads((tmp_path / "fleet.json").read_text())] == ["A", "B"]


def test_generate_data_writes_csv_and_json(tmp_path: Path) -> None:
    text = run(
        *("generate_data", "--customers", "A,B", "--hours", "2", "--to", "2026-11-23T12:00", "--format", "both"),
        *("--output", str(tmp_path), "--no-progress"),
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A.csv", "A.json", "B.csv", "B.json"]
    rows = len((tmp_path / "A.csv").read_text().splitlines()) - 1
    assert rows == json.loads((tmp_path / "A.json").read_text())["reading_count"]
    assert text.splitlines()[-1].endswith("readings in 4 files")


def test_generate_data_writes_about_the_requested_number_of_rows(tmp_path: Path) -> None:
    run("generate_data", "--rows", "5000", "--to", "2026-11-23", "--output", str(tmp_path), "--no-progress")
    rows = sum(len(path.read_text().splitlines()) - 1 for path in tmp_path.iterdir())
    assert rows == pytest.approx(5_000, rel=0.03)


def test_generate_data_takes_a_template_and_a_span(tmp_path: Path) -> None:
    arguments = ["--from", "2026-11-22", "--to", "2026-11-23", "--format", "logger", "--logger-times", "american"]
    run("generate_data", "--template", "pharmaceutical", *arguments, "--output", str(tmp_path), "--no-progress")
    assert len(list((tmp_path / "loggers" / "A").iterdir())) >= 2


def test_generate_data_creates_customers_of_a_template_under_their_codes(tmp_path: Path) -> None:
    run(
        *("generate_data", "--customers", "TEST,OTHER", "--template", "small_business", "--hours", "6"),
        *("--output", str(tmp_path), "--no-progress"),
    )

    assert sorted(path.name for path in tmp_path.iterdir()) == ["OTHER.csv", "TEST.csv"]
    rows = (tmp_path / "TEST.csv").read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == {"TEST"}
    assert all("unit_TEST_1_" in row for row in rows)


def test_sample_data_prints_readings_as_they_would_be_sent() -> None:
    lines = run("sample_data", "--customers", "B", "--count", "5").splitlines()
    assert lines[0].startswith("customer_id,facility_id,unit_id")
    assert 3 <= len(lines) - 1 <= 8

    sent = json.loads(run("sample_data", "--customers", "A", "--count", "5"))
    assert (sent["customer_id"], sent["reading_count"]) == ("A", len(sent["readings"]))

    assert "TEST" in run("sample_data", "--customers", "TEST", "--template", "industrial", "--format", "csv")


def test_generate_csv_writes_a_file_for_every_customer_of_the_chosen_files(tmp_path: Path) -> None:
    documents = json.loads((ROOT / "simulator/model/fleets/default.json").read_text())
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    for file, customers in zip(files, (documents[:2], documents[2:3]), strict=True):
        file.write_text(json.dumps(customers))

    run("generate_csv", *map(str, files), "--hours", "1", "--output", str(tmp_path / "out"), "--no-progress")

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["A.csv", "B.csv", "C.csv"]
    with pytest.raises(CommandError, match=r"both have a customer A\."):
        run("generate_csv", str(files[0]), str(files[0]), "--output", str(tmp_path / "again"))
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    "command", [["show_fleet", "--units"], ["sample-data", "--count", "20000"], ["list-templates"]]
)
def test_a_closed_pipe_ends_a_command_quietly(command: list[str]) -> None:
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "manage.py", *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(30) == 128 + signal.SIGPIPE


def test_generated_data_is_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        arguments = ["--customers", "E", "--to", "2026-11-23", "--output", str(tmp_path / folder), "--no-progress"]
        run("generate_data", *arguments)
    assert (tmp_path / "one" / "E.csv").read_bytes() == (tmp_path / "two" / "E.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["show_fleet", "--fleet", "none"], "shipped fleets are"),
        (["show_fleet", "--customers", "Z"], "no customer Z"),
        (["generate_fleet", "f.json", "--count", "0"], "at least one"),
        (["generate_fleet", "f.json", "--mix", "bakery=1"], "no template"),
        (["generate_fleet", "f.json", "--mix", "bakery"], "not template=share"),
        (["generate_data", "--hours", "0"], "--hours must be"),
        (["generate_data", "--hours", "nan"], "--hours must be"),
        (["generate_data", "--rows", "0"], "--rows must be"),
        (["generate_data", "--rows", "99999999999999999999"], "before the first year"),
        (["generate_data", "--to", "0001-01-01"], "before the first year"),
        (["sample_data", "--count", "0"], "--count must be"),
        (["sample_data", "--customers", "TEST"], "no customer TEST"),
        (["generate_csv", "missing.json"], "missing.json"),
        (["generate_data", "--to", "soon"], "not an ISO 8601 instant"),
        (["generate_data", "--from", "2026-11-23", "--to", "2026-11-22"], "ends before it starts"),
        (["runsimulator", "--transport", "cut_off=2"], "from 0 to 1"),
        (["runsimulator", "--transport", "Z:cut_off=1"], "no customer Z"),
        (["runsimulator", "--transport", ":cut_off=1"], "has no customer"),
        (["runsimulator", "--speed", "0"], "above 0"),
        (["runsimulator", "--clock-start", "2026-11-23", "--clock-stop", "2026-11-22"], "before it starts"),
        (["runsimulator", "--port", "70000"], "cannot listen"),
    ],
)
def test_invalid_arguments_are_rejected_with_the_reason(
    arguments: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=reason):
        run(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_port_in_the_environment_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_PORT", "http")
    with pytest.raises(CommandError, match="SIMULATOR_PORT"):
        run("runsimulator")


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command as a process; return it and what it prints about its customers."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, lines: int) -> tuple[subprocess.Popen[str], list[str]]:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "manage.py", "runsimulator", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "temperature_site.settings"},
        )
        processes.append(process)
        assert process.stdout is not None
        return process, [process.stdout.readline().strip() for _ in range(lines)]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_simulator_says_where_its_customers_are_and_ends_cleanly(start: Start, ending: Signals) -> None:
    process, lines = start("--port", "0", "--customers", "A,B", lines=2)
    assert lines[0].startswith("(API) Pharma Corp A (A) on http://localhost:")
    assert lines[1].startswith("(CSV) Local Business B (B) on http://localhost:")
    url = lines[0].rpartition(" ")[2]
    assert get(f"{url}/health").json()["status"] == "ok"
    process.send_signal(ending)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_a_simulated_half_hour_passes_at_once_and_then_time_halts(start: Start) -> None:
    clock = ["--clock-start", "2026-11-23T10:00:00", "--clock-stop", "2026-11-23T10:30:00", "--speed", "1e9"]
    _, (line,) = start(
        *("--fleet", "default", "--customers", "C", "--single-port", "--port", "0", "--seed", "5", *clock),
        *("--transport", "html=0.5", "--transport", "C:duplicated_rows=1"),
        lines=1,
    )
    url = line.rpartition(" ")[2]
    assert url.endswith("/c/C")
    assert get(f"{url}/health").json()["now"] == "2026-11-23T10:30:00+00:00"
    assert post(f"{url}/simulate/transport?customers=all", {}).json() == {"customers": {"C": {}}}
