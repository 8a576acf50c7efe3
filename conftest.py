"""The tests' own PostgreSQL, and the URL of RabbitMQ.

The server is embedded, lives in a temporary folder and is started once per run, also for the workers of pytest-xdist:
pytest-django gives each of them a database of its own in it. `TEST_DATABASE_URL` selects another server.
"""

import gc
import os
import shutil
import tempfile
from pathlib import Path
from threading import Thread

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone
from hypothesis import settings as hypothesis_settings
from kombu import Connection
from kombu.exceptions import OperationalError
from pytest_django import DjangoDbBlocker

from temperature_site.conf.services import database_settings
from temperature_site.dev.embedded_postgres.server import FOR_TESTS, EmbeddedPostgres
from tests.databases import choose_template, drop_templates, migrated_template
from tests.emptying import keep_migrated_rows

SERVER = pytest.StashKey[EmbeddedPostgres]()
TEMPLATE = pytest.StashKey[Thread]()

# How long an example takes depends on what else the machine does; timings belong in benchmarks.
hypothesis_settings.register_profile("tests", deadline=None)
hypothesis_settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Start the tests' PostgreSQL, or connect a worker to the controller's."""
    adjust_settings_for_tests()
    if hasattr(config, "workerinput"):
        # The controller has put its server's URL into the environment that workers inherit.
        connect_to(os.environ["DATABASE_URL"])
        return
    url = os.environ.get("TEST_DATABASE_URL", "")
    if not url and not config.option.collectonly:
        server = EmbeddedPostgres(Path(tempfile.mkdtemp(prefix="test-")) / "postgres", FOR_TESTS)
        config.stash[SERVER] = server
        url = server.start().url
    os.environ["DATABASE_URL"] = url
    os.environ.setdefault("SECRET_KEY", settings.SECRET_KEY)
    choose_template()
    connect_to(url)
    if config.getoption("numprocesses", None):
        # The workers all need it once they have collected the tests, and one that creates it delays the others.
        config.stash[TEMPLATE] = Thread(target=migrated_template)
        config.stash[TEMPLATE].start()


def pytest_collection_finish() -> None:
    """Exclude all tests from garbage collection, which took a tenth of their time."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name a test after its argument where the value is bytes or long.

    Encrypted and compressed values hold the time they were made at; pytest-xdist's workers must agree on every name.
    """
    return argname if isinstance(val, bytes) or (isinstance(val, str) and len(val) > 60) else None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the tests' PostgreSQL, or leave another server as it was."""
    if template := config.stash.get(TEMPLATE, None):
        template.join()
    server = config.stash.get(SERVER, None)
    if server is None and os.environ.get("TEST_DATABASE_URL") and not hasattr(config, "workerinput"):
        drop_templates()
    if server is not None:
        connections.close_all()
        server.stop()
        shutil.rmtree(server.directory.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Have Django copy each worker's database from the run's template, rather than migrate it."""
    connections["default"].settings_dict["TEST"]["TEMPLATE"] = migrated_template()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Have tests that commit leave the tables as they are now."""
    with django_db_blocker.unblock():
        keep_migrated_rows()


@pytest.fixture(autouse=True)
def database_clock_is_python_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests set the time: they freeze Python's clock, not the server's."""
    monkeypatch.setattr("core.db.clock.database_now", timezone.now)


@pytest.fixture(scope="session")
def broker_url() -> str:
    """Return the RabbitMQ of tests marked `rabbitmq`. Without one they are skipped; with `CI` set they fail."""
    url = os.environ.get("TEST_BROKER_URL") or "amqp://guest:guest@localhost:5672//"
    try:
        with Connection(url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.2)  # type: ignore[arg-type]  # fractions do
    except (OperationalError, OSError) as error:
        reason = f"No RabbitMQ answers at TEST_BROKER_URL: {error}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return url


def adjust_settings_for_tests() -> None:
    """Replace settings that would slow tests down: password hashers, hashed static files, an external broker."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    # Static files are not collected for tests.
    settings.WHITENOISE_AUTOREFRESH = True
    settings.CELERY_BROKER_URL = "memory://"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {}
    settings.SOURCE_ALLOWED_NETWORKS = []
    # Only the tests of the requirement itself have staff with second factors.
    settings.STAFF_SECOND_FACTOR = False
    # Scripted servers listen on whatever port is free.
    settings.OUTGOING_PORTS = ["1-65535"]


def connect_to(url: str) -> None:
    """Point Django, whose settings have been read by now, at the tests' server, never at the one in use."""
    settings.DATABASES = {"default": database_settings(url, max_age=0)}
    connections.settings = connections.configure_settings(settings.DATABASES)
    del connections["default"]
