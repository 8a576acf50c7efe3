"""Logs: one JSON object a line in production, with what is bound, without secrets."""

from __future__ import annotations

import json
import logging.config
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

PROGRAM = """
import logging, structlog
import django
from django.conf import settings
django.setup()
structlog.contextvars.bind_contextvars(customer="A", delivery=7)
{statement}
"""


def logged(statement: str, tmp_path: Path, **environment: str) -> str:
    completed = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement=statement)],
        env={"DJANGO_SETTINGS_MODULE": "temperature_site.settings", "DATA_DIR": str(tmp_path), **environment},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    return completed.stderr.strip()


def as_json(statement: str, tmp_path: Path) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(logged(statement, tmp_path, LOG_FORMAT="json"))
    return line


def test_a_line_of_ours_is_json_with_what_is_bound(tmp_path: Path) -> None:
    line = as_json('structlog.get_logger("ingestion").info("stored", readings=60)', tmp_path)

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "stored",
        "readings": 60,
        "customer": "A",
        "delivery": 7,
        "level": "info",
        "logger": "ingestion",
    }


def test_a_line_of_a_library_is_json_too(tmp_path: Path) -> None:
    line = as_json('logging.getLogger("kombu").warning("lost %s", "the broker")', tmp_path)

    assert (line["event"], line["level"], line["customer"]) == ("lost the broker", "warning", "A")


def test_a_field_named_like_a_secret_is_blanked(tmp_path: Path) -> None:
    line = as_json('structlog.get_logger().info("signed in", api_token="tms_123", Password="geheim")', tmp_path)

    assert (line["api_token"], line["Password"]) == ("(hidden)", "(hidden)")


def test_a_traceback_is_part_of_the_line_without_local_variables(tmp_path: Path) -> None:
    statement = "hidden = 'geheim' * 2\ntry: 1 / 0\nexcept ZeroDivisionError: structlog.get_logger().exception('broke')"

    for log_format in ("json", "console"):
        text = logged(statement, tmp_path, LOG_FORMAT=log_format)
        assert "ZeroDivisionError" in text
        assert "geheimgeheim" not in text


def test_the_console_is_one_plain_line(tmp_path: Path) -> None:
    text = logged('structlog.get_logger("ingestion").info("stored", readings=60)', tmp_path, LOG_FORMAT="console")

    assert len(text.splitlines()) == 1
    assert "stored" in text
    assert "readings=60" in text
    assert "\x1b" not in text


def test_lines_below_the_level_are_left_out(tmp_path: Path) -> None:
    statement = 'structlog.get_logger().info("quiet"); structlog.get_logger().error("loud")'

    text = logged(statement, tmp_path, LOG_FORMAT="json", LOG_LEVEL="warning")

    assert [json.loads(line)["event"] for line in text.splitlines()] == ["loud"]


def test_the_settings_are_what_the_standard_library_takes() -> None:
    logging.config.dictConfigClass(settings.LOGGING)
