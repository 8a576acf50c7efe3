"""The settings that a process starts with are in the audit trail."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from audit.models import AuditEntry
from temperature_site.conf.environment import Environment
from temperature_site.conf.recorded_settings import record_settings

pytestmark = pytest.mark.django_db


def start_with(settings: Settings, **variables: str) -> AuditEntry | None:
    """Start the web process with these variables; return the entry that it leaves, if any."""
    settings.ENVIRONMENT = Environment(variables)
    for name in variables:
        settings.ENVIRONMENT.text(name)
    known = set(AuditEntry.objects.values_list("pk", flat=True))
    record_settings("web")
    return AuditEntry.objects.exclude(pk__in=known).first()


def test_a_start_with_the_same_settings_is_not_recorded(settings: Settings) -> None:
    start_with(settings, PORT="8000")

    assert start_with(settings, PORT="8000") is None


def test_changed_added_and_removed_settings_are_recorded(settings: Settings) -> None:
    start_with(settings, PORT="8000", HTTPS="true")

    entry = start_with(settings, PORT="8080", PROXY_COUNT="1")

    assert entry is not None
    assert (entry.action, entry.object_id) == ("settings", "web")
    assert entry.before == {"HTTPS": "true", "PORT": "8000", "PROXY_COUNT": None}
    assert entry.after == {"HTTPS": None, "PORT": "8080", "PROXY_COUNT": "1"}


def test_a_removed_setting_is_recorded_once(settings: Settings) -> None:
    start_with(settings, HTTPS="true")
    start_with(settings)

    assert start_with(settings) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMAIL_URL", "smtp://anna:canary@mail.example.com"),
        ("ARCHIVE_OPTIONS", '{"bucket_name": "readings", "access_key": "AKIA", "secret_key": "canary"}'),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://anna:canary@collector.example.com"),
    ],
)
def test_of_a_secret_only_the_change_is_recorded(settings: Settings, name: str, value: str) -> None:
    first = start_with(settings, **{name: value})
    second = start_with(settings, **{name: value.replace("canary", "canary2")})

    assert first is not None
    assert second is not None
    assert list(second.after or {}) == [name]
    assert "canary" not in f"{first.after}{second.before}{second.after}"
