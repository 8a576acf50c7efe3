"""System checks of the settings: what cannot work is an error, what only suits trials a deployment warning."""

import ipaddress
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.files.storage import storages
from django.db import DatabaseError
from django.utils import timezone

from core.http.addresses import parse_ports
from temperature_site.conf.services import EMBEDDED_ENGINE
from temperature_site.dev import folder_broker
from temperature_site.forwarded_headers import forwarded_headers_problem


@register(Tags.compatibility)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check that the settings are consistent."""
    return [*_limits(), *_networks(), *_ports(), *_time_stamps(), *_archive(), *_accounts(), *_misspellings()]


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Warn of services and keys that only suit trials."""
    return [*_embedded_services(), *_proxies()]


def _limits() -> Iterator[CheckMessage]:
    if not 0 < settings.POLL_SOFT_SECONDS < settings.POLL_HARD_SECONDS:
        yield Error(
            "A poll's limits must increase: POLL_SOFT_SECONDS < POLL_HARD_SECONDS.",
            hint="Otherwise its worker is killed before the poll could end and say why.",
            id="temperature_site.E001",
        )
    if settings.SOURCE_TOTAL_SECONDS >= settings.POLL_SOFT_SECONDS:
        yield Error(
            "SOURCE_TOTAL_SECONDS must be below POLL_SOFT_SECONDS.",
            hint="A request that takes its full time must leave some time to store the response.",
            id="temperature_site.E002",
        )


def _networks() -> Iterator[CheckMessage]:
    for name in ("SOURCE_ALLOWED_NETWORKS", "NOTIFICATION_ALLOWED_NETWORKS", "METRICS_NETWORKS"):
        for network in getattr(settings, name):
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                yield Error(
                    f"{name} holds {network!r}: {error}.",
                    hint="Write networks as 10.1.0.0/16, separated by commas.",
                    id="temperature_site.E003",
                )


def _ports() -> Iterator[CheckMessage]:
    try:
        parse_ports(settings.OUTGOING_PORTS)
    except ValueError as error:
        yield Error(
            f"OUTGOING_PORTS holds an invalid port: {error}.",
            hint="Write ports as 443 or 8000-8010, separated by commas.",
            id="temperature_site.E007",
        )


def _time_stamps() -> Iterator[CheckMessage]:
    if not settings.TIME_STAMP_CA:
        return
    # Most systems stamp nothing, and each process would import it.
    from cryptography.x509 import load_pem_x509_certificates

    try:
        load_pem_x509_certificates(Path(settings.TIME_STAMP_CA).read_bytes())
    except (OSError, ValueError) as error:
        yield Error(
            f"TIME_STAMP_CA is {settings.TIME_STAMP_CA}, of which no certificates can be read: {error}.",
            hint="Give the path of a PEM file with the certificates of the service of TIME_STAMP_URL.",
            id="temperature_site.E008",
        )


def _archive() -> Iterator[CheckMessage]:
    try:
        storages["archive"]
    except Exception as error:  # noqa: BLE001 - each storage has exceptions of its own
        yield Error(
            f"The storage of archived readings cannot be created: {error}",
            hint="Check ARCHIVE_STORAGE and ARCHIVE_OPTIONS, see docs/archive.md.",
            id="temperature_site.E009",
        )


def _accounts() -> Iterator[CheckMessage]:
    if settings.BREACHED_PASSWORDS_FILE and not Path(settings.BREACHED_PASSWORDS_FILE).is_file():
        yield Error(
            f"BREACHED_PASSWORDS_FILE is {settings.BREACHED_PASSWORDS_FILE}, which is no file.",
            hint="Give the path of a file with SHA-1 hashes in order, or leave it empty.",
            id="temperature_site.E020",
        )
    if settings.OIDC_ISSUER and not settings.OIDC_CLIENT_ID:
        yield Error(
            "OIDC_ISSUER is set without OIDC_CLIENT_ID.",
            hint="Register this site at the provider and set the client's id and secret.",
            id="temperature_site.E021",
        )
    if settings.OIDC_ISSUER and not settings.OIDC_DOMAINS:
        yield Warning(
            "OIDC_DOMAINS is empty: the provider finds nobody by address.",
            hint="Name the domains of the addresses that the provider may vouch for.",
            id="temperature_site.W020",
        )


def _misspellings() -> Iterator[CheckMessage]:
    for name, setting in settings.MISSPELLED_SETTINGS:
        yield Warning(
            f"The environment has {name}, which is no setting.",
            hint=f"Did you mean {setting}?",
            id="temperature_site.W004",
        )


def _embedded_services() -> Iterator[CheckMessage]:
    if settings.DATABASES["default"]["ENGINE"] == EMBEDDED_ENGINE:
        yield Warning(
            "The database is the embedded PostgreSQL.",
            hint="Set DATABASE_URL to a server that is backed up.",
            id="temperature_site.W001",
        )
    if settings.CELERY_BROKER_URL == folder_broker.BROKER_URL:
        yield Warning(
            "The broker is a folder on this machine.",
            hint="Set CELERY_BROKER_URL to a RabbitMQ server.",
            id="temperature_site.W002",
        )
    if not settings.SOURCE_CREDENTIALS_KEYS:
        yield Warning(
            "The credentials of sources are encrypted with a key derived from SECRET_KEY.",
            hint="Set SOURCE_CREDENTIALS_KEYS, so that either can be rotated without the other.",
            id="temperature_site.W003",
        )


def _proxies() -> Iterator[CheckMessage]:
    if settings.PROXY_COUNT:
        return
    if settings.HTTPS:
        yield Warning(
            "PROXY_COUNT is 0, but HTTPS needs a proxy in front.",
            hint="Set PROXY_COUNT to the number of proxies that append to X-Forwarded-For. With 0 every visitor has the"
            " proxy's address, and one who guesses passwords locks out all others.",
            id="temperature_site.W005",
        )
    # The embedded server is for trials, and asking it would start it.
    is_embedded = settings.DATABASES["default"]["ENGINE"] == EMBEDDED_ENGINE
    problem = "" if is_embedded else _forwarded_headers_problem()
    if problem:
        yield Warning(problem, hint="Set PROXY_COUNT to the number of proxies in front.", id="temperature_site.W006")


def _forwarded_headers_problem() -> str:
    try:
        return forwarded_headers_problem(timezone.now())
    except DatabaseError:
        return ""  # the database cannot be reached, or is not migrated yet
