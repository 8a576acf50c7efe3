"""Settings are read from the environment, typed, and refuse with a sentence what cannot work."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from temperature_site.conf import checks
from temperature_site.conf.logging import logging_settings
from temperature_site.conf.secret_key import secret_key
from temperature_site.conf.services import EMBEDDED_ENGINE, database_settings

LONG_KEY = "k" * 50


def settings_under(environment: dict[str, str], *names: str) -> subprocess.CompletedProcess[str]:
    """Read settings in a process of their own, under nothing but this environment."""
    code = f"""
import json
from django.conf import settings
print(json.dumps({{name: getattr(settings, name) for name in {names!r}}}, default=str))
"""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "temperature_site.settings", **environment},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


def read(environment: dict[str, str], *names: str) -> dict[str, Any]:
    completed = settings_under(environment, *names)
    assert completed.returncode == 0, completed.stderr
    values: dict[str, Any] = json.loads(completed.stdout)
    return values


class TestSecretKey:
    def test_a_given_key_is_used_and_nothing_is_written(self, tmp_path: Path) -> None:
        assert secret_key(LONG_KEY, tmp_path / "data", may_create=False) == LONG_KEY
        assert not (tmp_path / "data").exists()

    def test_a_short_key_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ImproperlyConfigured, match="at least 32 characters; it has 6"):
            secret_key("secret", tmp_path, may_create=True)

    def test_a_missing_key_is_created_once_and_readable_by_its_owner_only(self, tmp_path: Path) -> None:
        made = secret_key("", tmp_path / "data", may_create=True)

        assert len(made) > 60
        assert secret_key("", tmp_path / "data", may_create=True) == made
        assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]
        assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600

    def test_an_installation_with_its_own_database_must_provide_a_key(self, tmp_path: Path) -> None:
        environment = {"DATABASE_URL": "postgres://somebody@db.example.org/temperature", "DATA_DIR": str(tmp_path)}

        completed = settings_under(environment, "SECRET_KEY")

        assert completed.returncode == 1
        assert "SECRET_KEY must be set together with DATABASE_URL" in completed.stderr
        assert not (tmp_path / "secret_key").exists()

    def test_a_demo_on_a_given_database_needs_none(self, tmp_path: Path) -> None:
        environment = {"DATABASE_URL": "postgres://somebody@db.example.org/temperature", "DATA_DIR": str(tmp_path)}

        made = read({**environment, "DEMO": "true"}, "SECRET_KEY")

        # A command in a second terminal, which knows nothing of the demo, reads the same key.
        assert read(environment, "SECRET_KEY") == made


class TestDatabase:
    def test_without_a_url_it_is_embedded(self) -> None:
        assert database_settings("")["ENGINE"] == EMBEDDED_ENGINE

    def test_a_url_is_parsed(self) -> None:
        found = database_settings("postgres://anna:p%40ss@db.example.org:6432/cold?sslmode=require")

        assert found["ENGINE"] == "temperature_site.postgresql"
        assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == (
            "anna",
            "p@ss",
            "db.example.org",
            6432,
        )
        assert found["NAME"] == "cold"
        assert found["OPTIONS"]["sslmode"] == "require"
        assert found["CONN_HEALTH_CHECKS"] is True

    def test_a_socket_folder_is_given_in_libpq_syntax(self) -> None:
        found = database_settings("postgresql://postgres@/temperature?host=%2Fvar%2Frun%2FPost%20gres")

        assert (found["HOST"], found["NAME"]) == ("/var/run/Post gres", "temperature")
        assert "host" not in found["OPTIONS"]

    @pytest.mark.parametrize("url", ["sqlite:///data.db", "mysql://root@localhost/temperature", "temperature"])
    def test_another_database_is_refused(self, url: str) -> None:
        with pytest.raises(ImproperlyConfigured, match="one SQL dialect, PostgreSQL"):
            database_settings(url)

    def test_a_url_without_a_database_is_refused(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="names no database"):
            database_settings("postgres://postgres@localhost:5432/")

    def test_behind_pgbouncer_no_cursor_outlives_its_statement(self) -> None:
        assert database_settings("postgres://u@h/d", behind_pgbouncer=True)["DISABLE_SERVER_SIDE_CURSORS"] is True


class TestTypes:
    @pytest.mark.parametrize(
        ("name", "value", "complaint"),
        [
            ("PORT", "eight thousand", "PORT"),
            ("SOURCE_TOTAL_SECONDS", "soon", "SOURCE_TOTAL_SECONDS"),
            ("SOURCE_MAX_BYTES", "64 MiB", "SOURCE_MAX_BYTES"),
            ("DEMO", "perhaps", "DEMO"),
            ("LOG_FORMAT", "xml", "LOG_FORMAT must be one of json, console; it is 'xml'"),
            ("LOG_LEVEL", "loud", "LOG_LEVEL must be one of"),
        ],
    )
    def test_a_value_that_cannot_be_read_stops_the_start_and_is_named(
        self, tmp_path: Path, name: str, value: str, complaint: str
    ) -> None:
        completed = settings_under({"DATA_DIR": str(tmp_path), name: value}, name)

        assert completed.returncode == 1
        assert complaint in completed.stderr

    def test_the_demo_polls_this_machine_and_production_does_not(self, tmp_path: Path) -> None:
        names = ("DEMO", "SOURCE_ALLOWED_NETWORKS", "LOG_FORMAT", "DEBUG")
        production = {"DATABASE_URL": "postgres://u@h/d", "SECRET_KEY": LONG_KEY, "DATA_DIR": str(tmp_path)}

        assert read({"DATA_DIR": str(tmp_path)}, *names) == {
            "DEMO": True,
            "SOURCE_ALLOWED_NETWORKS": ["127.0.0.0/8", "::1/128"],
            "LOG_FORMAT": "console",
            "DEBUG": False,
        }
        assert read(production, *names) == {
            "DEMO": False,
            "SOURCE_ALLOWED_NETWORKS": [],
            "LOG_FORMAT": "json",
            "DEBUG": False,
        }

    def test_https_makes_cookies_secure_and_tells_browsers_to_stay(self, tmp_path: Path) -> None:
        names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS")
        data = {"DATA_DIR": str(tmp_path)}

        assert read(data, *names) == dict.fromkeys(names[:3], False) | {"SECURE_HSTS_SECONDS": 0}
        assert read({**data, "HTTPS": "on"}, *names) == dict.fromkeys(names[:3], True) | {
            "SECURE_HSTS_SECONDS": 31_536_000
        }


class TestLogging:
    def test_an_unknown_format_is_refused(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="LOG_FORMAT"):
            logging_settings("pretty", "INFO")


class TestChecks:
    def identifiers(self) -> list[str]:
        return [message.id or "" for message in checks.check_settings(None)]

    def test_the_defaults_pass(self) -> None:
        assert self.identifiers() == []

    def test_a_lease_must_outlast_the_limits(self, settings: Settings) -> None:
        settings.POLL_LEASE_SECONDS = settings.POLL_HARD_SECONDS
        assert self.identifiers() == ["temperature_site.E001"]

    def test_a_request_must_end_before_its_task(self, settings: Settings) -> None:
        settings.SOURCE_TOTAL_SECONDS = 60.0
        assert self.identifiers() == ["temperature_site.E002"]

    def test_a_network_must_be_one(self, settings: Settings) -> None:
        settings.SOURCE_ALLOWED_NETWORKS = ["10.0.0.0/8", "10.0.0.1/8", "intranet"]
        assert self.identifiers() == ["temperature_site.E003", "temperature_site.E003"]

    def test_a_port_must_be_one(self, settings: Settings) -> None:
        settings.PORT = 0
        assert self.identifiers() == ["temperature_site.E004"]

    def test_a_queue_type_must_be_known(self, settings: Settings) -> None:
        settings.CELERY_TASK_DEFAULT_QUEUE_TYPE = "lazy"
        assert self.identifiers() == ["temperature_site.E005"]

    @pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
    def test_services_for_trials_are_a_deployment_warning(self, settings: Settings) -> None:
        settings.DATABASES = {"default": database_settings("")}
        settings.CELERY_BROKER_URL = "folder://localhost"
        settings.SOURCE_CREDENTIALS_KEYS = []

        found = [message.id for message in checks.check_deployment(None)]

        assert found == ["temperature_site.W001", "temperature_site.W002", "temperature_site.W003"]
