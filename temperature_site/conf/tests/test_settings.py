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

from core.db.replica import REPLICA_ALIAS
from temperature_site.conf import checks
from temperature_site.conf.logging import logging_settings
from temperature_site.conf.secret_key import secret_key
from temperature_site.conf.services import EMBEDDED_ENGINE, database_settings
from temperature_site.conf.tests.settings_reader import settings_under

LONG_KEY = "k" * 50


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

        assert read({**environment, "DEMO": "true"}, "SECRET_KEY") == made

    def test_the_key_of_a_demo_is_not_used_outside_it(self, tmp_path: Path) -> None:
        environment = {"DATABASE_URL": "postgres://somebody@db.example.org/temperature", "DATA_DIR": str(tmp_path)}
        read({**environment, "DEMO": "true"}, "SECRET_KEY")

        completed = settings_under({**environment, "DEMO": "false"}, "SECRET_KEY")

        assert completed.returncode == 1
        assert "SECRET_KEY must be set" in completed.stderr


class TestProduction:
    @pytest.mark.parametrize(
        ("name", "value", "complaint"),
        [
            ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS must name the site's hosts outside the demo"),
            ("DEBUG", "true", "DEBUG must be false outside the demo"),
        ],
    )
    def test_a_setting_that_exposes_it_is_refused(self, tmp_path: Path, name: str, value: str, complaint: str) -> None:
        environment = {"DATA_DIR": str(tmp_path), "SECRET_KEY": LONG_KEY, "DEMO": "false", name: value}
        completed = settings_under(environment, name)
        assert completed.returncode == 1
        assert complaint in completed.stderr

    def test_the_example_of_the_readme_passes_the_deployment_checks(self, tmp_path: Path) -> None:
        lines = (settings.BASE_DIR / ".env.example").read_text().splitlines()
        example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        secrets = {"SECRET_KEY": "kX7" + "q9Z-vB4_" * 7, "SOURCE_CREDENTIALS_KEYS": "c" * 50, "DATA_DIR": str(tmp_path)}
        # Nothing answers there, at once.
        example["DATABASE_URL"] = "postgres://temperature:password@127.0.0.1:9/temperature"

        completed = subprocess.run(
            [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
            env={"PATH": os.environ["PATH"], **example, **secrets},
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )

        assert completed.returncode == 0, completed.stderr


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

    def test_several_hosts_are_tried_for_the_one_that_accepts_changes(self) -> None:
        found = database_settings("postgres://u@one:6432,two:6433/d?target_session_attrs=read-write")
        assert (found["HOST"], found["PORT"]) == ("one,two", "6432,6433")
        assert found["OPTIONS"]["target_session_attrs"] == "read-write"

    def test_a_replica_has_a_connection_and_a_router_of_its_own(self) -> None:
        given = {"SECRET_KEY": LONG_KEY, "DATABASE_URL": "postgres://u@h/d", "DATABASE_REPLICA_URL": "postgres://u@r/d"}
        found = read(given, "DATABASES", "DATABASE_ROUTERS", "MIDDLEWARE")
        assert (found["DATABASES"]["default"]["HOST"], found["DATABASES"][REPLICA_ALIAS]["HOST"]) == ("h", "r")
        assert found["DATABASE_ROUTERS"] == ["core.db.replica.ReplicaRouter"]
        assert "temperature_site.middleware.replica.ReadYourWritesMiddleware" in found["MIDDLEWARE"]

    def test_behind_pgbouncer_no_cursor_outlives_its_statement(self) -> None:
        assert database_settings("postgres://u@h/d", behind_pgbouncer=True)["DISABLE_SERVER_SIDE_CURSORS"] is True


class TestTypes:
    @pytest.mark.parametrize(
        ("name", "value", "complaint"),
        [
            ("PORT", "abc", "PORT must be a whole number from 1 to 65,535, in digits only; it is 'abc'."),
            ("PORT", "0", "PORT must be a whole number from 1 to 65,535; it is '0'."),
            ("SIMULATOR_PORT", "70000", "SIMULATOR_PORT must be a whole number from 1 to 65,535; it is '70000'."),
            ("SOURCE_TOTAL_SECONDS", "soon", "SOURCE_TOTAL_SECONDS must be a number of seconds above 0; it is 'soon'."),
            ("SOURCE_READ_SECONDS", "0", "SOURCE_READ_SECONDS must be a number of seconds above 0; it is '0'."),
            ("SOURCE_MAX_BYTES", "64 MiB", "SOURCE_MAX_BYTES must be a whole number of at least 1, in digits only"),
            ("BULK_MAX_BYTES", "16M", "BULK_MAX_BYTES must be a whole number of at least 1, in digits only"),
            ("WEB_WORKERS", "0", "WEB_WORKERS must be a whole number of at least 1; it is '0'."),
            ("PROXY_COUNT", "-1", "PROXY_COUNT must be a whole number of at least 0; it is '-1'."),
            (
                "MESSAGE_RETENTION_DAYS",
                "999999",
                "MESSAGE_RETENTION_DAYS must be a whole number from 0 to 36,500; it is '999999'.",
            ),
            ("SESSION_SECONDS", "999999999999", "SESSION_SECONDS must be a whole number from 1 to 3,153,600,000"),
            ("WEB_STATEMENT_SECONDS", "9999999", "WEB_STATEMENT_SECONDS must be a whole number from 1 to 2,147,483"),
            ("DEMO", "perhaps", "DEMO must be true or false; it is 'perhaps'."),
            ("HTTPS", "yess", "HTTPS must be true or false; it is 'yess'."),
            ("DEBUG", "maybe", "DEBUG must be true or false; it is 'maybe'."),
            (
                "CELERY_BROKER_URL",
                "rabbit",
                "CELERY_BROKER_URL must be a URL such as amqp://user:password@host:5672/vhost.",
            ),
            ("CELERY_BROKER_URL", "amqp://:s3cret@", "CELERY_BROKER_URL must be a URL such as"),
            ("CELERY_QUEUE_TYPE", "lazy", "CELERY_QUEUE_TYPE must be one of classic, quorum; it is 'lazy'."),
            ("SITE_URL", "cold", "SITE_URL must be a URL such as https://cold.example.com."),
            ("SITE_URL", "https://[cold", "SITE_URL must be a URL such as https://cold.example.com."),
            ("EMAIL_URL", "mail.example.com", "EMAIL_URL must start with one of smtp://, smtp+tls://"),
            ("EMAIL_URL", "smtp://mail:port", "EMAIL_URL must be a URL such as smtp://user:password@host:25."),
            ("DATABASE_URL", "postgres://host:port/d", "DATABASE_URL must look like postgres://user:password@host"),
            ("DATABASE_REPLICA_URL", "mysql://host/d", "DATABASE_REPLICA_URL must start with postgres://"),
            ("DATABASE_REPLICA_URL", "postgres://host:port/d", "DATABASE_REPLICA_URL must look like postgres://"),
            (
                "ARCHIVE_STORAGE",
                "storages.backends.s4.S4Storage",
                "ARCHIVE_STORAGE must name a class that is installed",
            ),
            ("ARCHIVE_STORAGE", "S3Storage", "ARCHIVE_STORAGE must name a class that is installed, such as"),
            ("LOG_FORMAT", "xml", "LOG_FORMAT must be one of json, console; it is 'xml'"),
            ("LOG_LEVEL", "loud", "LOG_LEVEL must be one of"),
        ],
    )
    def test_a_value_that_cannot_be_read_stops_the_start_and_is_named(
        self, tmp_path: Path, name: str, value: str, complaint: str
    ) -> None:
        completed = settings_under({"DATA_DIR": str(tmp_path), "SECRET_KEY": LONG_KEY, name: value}, name)

        assert completed.returncode == 1
        assert f"ImproperlyConfigured: {complaint}" in completed.stderr
        assert "s3cret" not in completed.stderr.rpartition("ImproperlyConfigured")[2]

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("HTTPS", "Yes", True),
            ("DEBUG", "0", False),
            ("PORT", "", 8000),
            ("ALLOWED_HOSTS", "a.example.com, b.example.com", ["a.example.com", "b.example.com"]),
            ("SITE_URL", "https://cold.example.com/", "https://cold.example.com/"),
            ("CELERY_BROKER_URL", "amqp://u:p@one:5672//;amqp://u:p@two:5672//", None),
        ],
    )
    def test_a_value_that_can_be_read_is(self, tmp_path: Path, name: str, value: str, expected: object) -> None:
        found = read({"DATA_DIR": str(tmp_path), name: value, "SECRET_KEY": LONG_KEY}, name, "SECURE_SSL_REDIRECT")

        read_name = "SECURE_SSL_REDIRECT" if name == "HTTPS" else name
        assert found[read_name] == (value if expected is None else expected)

    @pytest.mark.parametrize(
        "command",
        [
            ["manage.py", "check"],
            ["-m", "gunicorn", "temperature_site.wsgi"],
            ["-m", "celery", "--app", "temperature_site", "worker"],
            ["-m", "celery", "--app", "temperature_site", "beat", "--pidfile="],
        ],
        ids=["manage.py", "web", "worker", "beat"],
    )
    def test_every_process_ends_with_a_sentence(self, tmp_path: Path, command: list[str]) -> None:
        completed = subprocess.run(
            [sys.executable, *command],
            env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "WEB_WORKERS": "0"},
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert completed.returncode == 1
        assert completed.stderr.strip() == "WEB_WORKERS must be a whole number of at least 1; it is '0'."

    @pytest.mark.parametrize("given", [{}, {"SECRET_KEY": LONG_KEY}], ids=["key", "broker"])
    def test_a_data_directory_that_cannot_be_written_stops_the_start(
        self, tmp_path: Path, given: dict[str, str]
    ) -> None:
        (tmp_path / "file").touch()
        completed = settings_under({"DATA_DIR": str(tmp_path / "file" / "data"), **given}, "DATA_DIR")
        assert completed.returncode == 1
        assert "ImproperlyConfigured: DATA_DIR must be a folder that this user may write to" in completed.stderr

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

    def test_a_poll_must_be_asked_to_end_before_it_is_killed(self, settings: Settings) -> None:
        settings.POLL_SOFT_SECONDS = settings.POLL_HARD_SECONDS
        assert self.identifiers() == ["temperature_site.E001"]

    def test_a_request_must_end_before_its_task(self, settings: Settings) -> None:
        settings.SOURCE_TOTAL_SECONDS = 60.0
        assert self.identifiers() == ["temperature_site.E002"]

    def test_a_network_must_be_one(self, settings: Settings) -> None:
        settings.SOURCE_ALLOWED_NETWORKS = ["10.0.0.0/8", "10.0.0.1/8", "intranet"]
        assert self.identifiers() == ["temperature_site.E003", "temperature_site.E003"]

    @pytest.mark.parametrize(
        ("name", "setting"),
        [
            ("WEB_WORKER", "WEB_WORKERS"),
            ("SOURCE_ALLOWED_NETWORK", "SOURCE_ALLOWED_NETWORKS"),
            ("CELERY_BROKERURL", "CELERY_BROKER_URL"),
            ("port", "PORT"),
        ],
    )
    def test_a_misspelled_name_is_pointed_out(self, tmp_path: Path, name: str, setting: str) -> None:
        found = read({"DATA_DIR": str(tmp_path), name: "8000"}, "MISSPELLED_SETTINGS")

        assert found["MISSPELLED_SETTINGS"] == [[name, setting]]

    def test_names_of_other_programs_are_not_pointed_out(self, tmp_path: Path) -> None:
        others = ("HTTP_PROXY", "HTTPS_PROXY", "TEST_DATABASE_URL", "LANG", "WEB_CONCURRENCY", "HOSTNAME", "DEBUGINFOD")

        assert read({"DATA_DIR": str(tmp_path)} | dict.fromkeys(others, "1"), "MISSPELLED_SETTINGS") == {
            "MISSPELLED_SETTINGS": []
        }

    def test_the_check_asks_whether_another_name_was_meant(self, settings: Settings) -> None:
        settings.MISSPELLED_SETTINGS = (("WEB_WORKER", "WEB_WORKERS"),)

        (warning,) = checks.check_settings(None)

        assert (warning.id, warning.hint) == ("temperature_site.W004", "Did you mean WEB_WORKERS?")

    def test_settings_of_accounts_that_cannot_work_are_reported(self, settings: Settings) -> None:
        settings.BREACHED_PASSWORDS_FILE = "/nowhere/hashes.txt"
        settings.OIDC_ISSUER = "https://id.example.com"
        settings.OIDC_CLIENT_ID = ""
        settings.OIDC_DOMAINS = []

        found = {f"temperature_site.{name}" for name in ("E020", "E021", "W020")}

        assert found <= {message.id for message in checks.check_settings(None)}

    @pytest.mark.parametrize(
        ("storage", "complaint"),
        [
            ({"BACKEND": "django.core.files.storage.S3Storage"}, "S3Storage"),
            ({"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"bucket": "a"}}, "'bucket'"),
        ],
    )
    def test_an_archive_storage_that_cannot_be_created_is_reported(
        self, settings: Settings, storage: dict[str, object], complaint: str
    ) -> None:
        settings.STORAGES = settings.STORAGES | {"archive": storage}
        (error,) = checks.check_settings(None)
        assert error.id == "temperature_site.E009"
        assert complaint in error.msg

    def test_certificates_of_a_time_stamp_service_that_are_none_are_reported(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        certificates = tmp_path / "ca.pem"
        settings.TIME_STAMP_CA = str(certificates)
        assert self.identifiers() == ["temperature_site.E008"]
        certificates.write_text("none")
        assert self.identifiers() == ["temperature_site.E008"]

    @pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
    def test_services_for_trials_are_a_deployment_warning(self, settings: Settings) -> None:
        settings.DATABASES = {"default": database_settings("")}
        settings.CELERY_BROKER_URL = "folder://localhost"
        settings.SOURCE_CREDENTIALS_KEYS = []

        found = [message.id for message in checks.check_deployment(None)]

        assert found == ["temperature_site.W001", "temperature_site.W002", "temperature_site.W003"]
