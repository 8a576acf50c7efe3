"""The operator is told once about a problem that lasts, and again when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from pytest_django import Settings

from temperature_site.models import SystemProblem
from temperature_site.operations import operator_alerts
from temperature_site.operations.doctor import Finding, State, fine
from temperature_site.operations.operator_alerts import watch

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 28, 14, 0, tzinfo=UTC)
FULL = Finding("disk", State.PROBLEM, "0.1 GB free", "Free space.")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[Finding]:
    """Return the findings of the next runs, to be changed."""
    settings.OPERATOR_EMAIL = ["operator@example.com"]
    findings: list[Finding] = []

    def check(now: datetime) -> Iterator[Finding]:
        yield from findings

    monkeypatch.setattr(operator_alerts, "WATCHED", (check,))
    return findings


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Collect the requests to the operator's services instead of sending them."""
    sent: list[tuple[str, str]] = []

    def request(method: str, url: str, document: object = None) -> bool:
        sent.append((method, url))
        return True

    monkeypatch.setattr(operator_alerts, "_request", request)
    return sent


def minutes(count: float) -> datetime:
    return NOW + timedelta(minutes=count)


def test_a_problem_is_told_when_it_is_found_again_and_once(found: list[Finding]) -> None:
    found[:] = [FULL]
    watch(minutes(0))
    assert mail.outbox == []

    for minute in (1, 2, 3):
        watch(minutes(minute))
    (message,) = mail.outbox
    assert message.subject == "Temperature monitoring: disk needs attention"
    assert "disk: 0.1 GB free\n  Free space." in message.body

    found[:] = [fine("disk")]
    watch(minutes(4))
    watch(minutes(5))
    assert [message.subject for message in mail.outbox][1:] == ["Temperature monitoring: disk ok again"]
    assert not SystemProblem.objects.exists()


def test_a_problem_of_a_moment_is_not_told(found: list[Finding]) -> None:
    found[:] = [FULL]
    watch(minutes(0))
    found[:] = []
    watch(minutes(1))
    assert mail.outbox == []
    assert not SystemProblem.objects.exists()


def test_the_runs_of_two_beats_tell_a_problem_and_its_end_once(
    found: list[Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    send_mail = operator_alerts._send_mail
    of_second_beat: list[datetime] = []

    def send_while_the_other_runs(subject: str, text: str) -> bool:
        for at in of_second_beat[:]:
            of_second_beat.remove(at)
            watch(at)
        return send_mail(subject, text)

    monkeypatch.setattr(operator_alerts, "_send_mail", send_while_the_other_runs)
    found[:] = [FULL]
    watch(minutes(0))
    watch(minutes(0.1))
    assert mail.outbox == []

    of_second_beat[:] = [minutes(1.1)]
    watch(minutes(1))
    assert len(mail.outbox) == 1

    found[:] = []
    of_second_beat[:] = [minutes(2.1)]
    watch(minutes(2))
    assert [message.subject for message in mail.outbox][1:] == ["Temperature monitoring: disk ok again"]
    assert not SystemProblem.objects.exists()


def test_what_could_not_be_told_is_told_later(
    found: list[Finding], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found[:] = [FULL]

    def refuse(*arguments: object) -> int:
        raise ConnectionRefusedError

    with monkeypatch.context() as patched:
        patched.setattr(operator_alerts, "send_mail", refuse)
        watch(minutes(0))
        watch(minutes(1))
    assert "mail" not in SystemProblem.objects.get().notified_by

    watch(minutes(2))
    assert len(mail.outbox) == 1


def test_a_way_that_fails_does_not_repeat_the_messages_of_the_other(
    found: list[Finding], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OPERATOR_WEBHOOK_URL = "https://hooks.example.com/y"
    received: list[bool] = []
    is_up = False

    def request(method: str, url: str, document: object = None) -> bool:
        received.extend([True] * is_up)
        return is_up

    monkeypatch.setattr(operator_alerts, "_request", request)
    found[:] = [FULL]
    for minute in range(5):
        watch(minutes(minute))
    assert len(mail.outbox) == 1
    assert received == []

    is_up = True
    for minute in (5, 6):
        watch(minutes(minute))
    assert len(mail.outbox) == len(received) == 1

    is_up, found[:] = False, []
    for minute in (7, 8):
        watch(minutes(minute))
    assert len(mail.outbox) == 2
    is_up = True
    for minute in (9, 10):
        watch(minutes(minute))
    assert len(mail.outbox) == len(received) == 2
    assert not SystemProblem.objects.exists()


def test_an_end_is_not_told_where_the_beginning_was_not(
    found: list[Finding], requests: list[tuple[str, str]], settings: Settings
) -> None:
    found[:] = [FULL]
    for minute in (0, 1):
        watch(minutes(minute))
    settings.OPERATOR_WEBHOOK_URL = "https://hooks.example.com/y"
    found[:] = []
    watch(minutes(2))
    assert len(mail.outbox) == 2
    assert requests == []
    assert not SystemProblem.objects.exists()


def test_a_way_that_is_not_configured_any_more_holds_nothing_up(found: list[Finding], settings: Settings) -> None:
    found[:] = [FULL]
    for minute in (0, 1):
        watch(minutes(minute))
    settings.OPERATOR_EMAIL, found[:] = [], []
    watch(minutes(2))
    assert not SystemProblem.objects.exists()


def test_the_heartbeat_is_sent_only_without_problems(
    found: list[Finding], requests: list[tuple[str, str]], settings: Settings
) -> None:
    settings.HEARTBEAT_URL = "https://switch.example.com/x"
    settings.OPERATOR_WEBHOOK_URL = "https://hooks.example.com/y"
    watch(minutes(0))
    assert requests == [("GET", "https://switch.example.com/x")]

    found[:] = [FULL]
    watch(minutes(1))
    watch(minutes(2))
    assert requests[1:] == [("POST", "https://hooks.example.com/y")]


def test_a_private_address_is_not_contacted(settings: Settings) -> None:
    settings.NOTIFICATION_ALLOWED_NETWORKS = []
    assert operator_alerts._request("GET", "http://127.0.0.1:9/") is False
