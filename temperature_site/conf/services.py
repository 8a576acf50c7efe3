"""Settings of services that are configured by a few variables each: the database, the mail server, the archive."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from temperature_site import postgresql
from temperature_site.dev.embedded_postgres import DATABASE, SUPERUSER

# A server whose machine or network is gone is noticed within 25 seconds: by what is not acknowledged, and while nothing
# is sent by probes. libpq ignores these for sockets of the same machine.
_DEAD_PEER = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# Of `core.db.replica`, which cannot be imported before the settings are complete.
REPLICA_ALIAS = "replica"
EMBEDDED_ENGINE = "temperature_site.dev.embedded_postgres"
POSTGRES_SCHEMES = ("postgres", "postgresql", "psql", "pgsql")


def database_settings(
    url: str, *, max_age: int = 60, behind_pgbouncer: bool = False, is_replica: bool = False
) -> dict[str, Any]:
    """Return a connection's settings; without a URL, of the embedded server, which the first connection starts.

    A socket's folder is given in libpq's syntax: `postgresql://user@/database?host=/folder`. Connections to a replica
    give up sooner, as the primary can be read instead.
    """
    settings: dict[str, Any] = (
        _from_url(url, "DATABASE_REPLICA_URL" if is_replica else "DATABASE_URL")
        if url
        else {"ENGINE": EMBEDDED_ENGINE, "NAME": DATABASE, "USER": SUPERUSER}
    )
    settings |= {
        # A thread of the web process keeps its connection between requests and checks that it is still usable.
        "CONN_MAX_AGE": max_age,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": behind_pgbouncer,
    }
    options: dict[str, object] = {"application_name": "temperature", "connect_timeout": 5} | _DEAD_PEER
    if is_replica:
        options |= {"connect_timeout": 2, "tcp_user_timeout": 3_000}
    if not behind_pgbouncer:
        # JIT compiles statements estimated as costly: half a second for statements that run for milliseconds.
        # PgBouncer refuses this parameter, so with it JIT is disabled on the server, see docs/scaling.md.
        # What is prepared (core.db.prepared) is planned once, whatever its parameters are.
        options["options"] = "-c jit=off -c plan_cache_mode=force_generic_plan"
    settings["OPTIONS"] = options | settings.get("OPTIONS", {})
    return settings


def limit_statements(database: dict[str, Any], seconds: int) -> None:
    """Have the server end the statements of this process after some seconds. PgBouncer refuses the parameter."""
    if "options" in database["OPTIONS"]:
        database["OPTIONS"]["options"] += f" -c statement_timeout={seconds * 1000}"


def _from_url(url: str, name: str) -> dict[str, Any]:
    if url.partition("://")[0] not in POSTGRES_SCHEMES:
        raise ImproperlyConfigured(f"{name} must start with postgres://: there is one SQL dialect, PostgreSQL.")
    try:
        settings: dict[str, Any] = environ.Env.db_url_config(url) | {"ENGINE": postgresql.ENGINE}
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must look like postgres://user:password@host:5432/database.") from error
    if not settings["NAME"]:
        raise ImproperlyConfigured(f"{name} names no database: postgres://user:password@host:5432/database")
    # psql (manage.py dbshell) and the test suite read HOST, too.
    socket_folder = settings.get("OPTIONS", {}).pop("host", None)
    if socket_folder:
        settings["HOST"] = socket_folder
    return settings


_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 587, "smtp+ssl": 465}
# Mail that goes nowhere, for trials.
_NO_SERVER = ("consolemail", "dummymail", "filemail", "memorymail")


def mail_settings(url: str) -> dict[str, object]:
    """Return Django's mail settings for `url`; none for an empty one, without which no mail is sent.

    smtp://user:password@host:25, smtp+tls:// for STARTTLS, smtp+ssl:// for TLS from the start.
    """
    if not url:
        return {}
    if url.partition("://")[0] not in (*_PORTS, *_NO_SERVER):
        raise ImproperlyConfigured(f"EMAIL_URL must start with one of {', '.join(f'{name}://' for name in _PORTS)}.")
    try:
        read = environ.Env.email_url_config(url)
    except ValueError as error:
        raise ImproperlyConfigured("EMAIL_URL must be a URL such as smtp://user:password@host:25.") from error
    given = {name: value for name, value in read.items() if value not in (None, "")}
    return {"EMAIL_PORT": _PORTS.get(url.partition("://")[0], 25), **given}


def archive_storage_settings(backend: str, options: str, folder: str, data_dir: Path) -> dict[str, object]:
    """Return the settings of the storage of archived readings: a folder unless another backend is named.

    options: the backend's, as a JSON object.
    """
    if not backend:
        if options:
            raise ImproperlyConfigured("ARCHIVE_OPTIONS is for the storage that ARCHIVE_STORAGE names.")
        location = Path(folder).expanduser().resolve() if folder else data_dir / "archive"
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(location)}}
    if folder:
        raise ImproperlyConfigured("Set either ARCHIVE_DIR, for a folder, or ARCHIVE_STORAGE.")
    if not _is_installed(backend.rpartition(".")[0]):
        raise ImproperlyConfigured(
            f"ARCHIVE_STORAGE must name a class that is installed, such as storages.backends.s3.S3Storage of"
            f" django-storages; it is {backend!r}."
        )
    try:
        parsed = json.loads(options or "{}")
    except ValueError as error:
        raise ImproperlyConfigured(f"ARCHIVE_OPTIONS must be a JSON object: {error}") from error
    if not isinstance(parsed, dict):
        raise ImproperlyConfigured('ARCHIVE_OPTIONS must be a JSON object such as {"bucket_name": "readings"}.')
    return {"BACKEND": backend, "OPTIONS": parsed}


def _is_installed(module: str) -> bool:
    """Return whether there is such a module, which is not imported: it may need the settings."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
