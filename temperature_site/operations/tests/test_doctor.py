"""The doctor names each problem with what to do, and changes nothing."""

from __future__ import annotations

import io
import json
import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django import Settings

from alarms.models import Channel, Reevaluation
from readings.models import RollupRebuild
from temperature_site.management.commands.doctor import CHECKS
from temperature_site.models import Backup
from temperature_site.operations import doctor, doctor_surroundings
from temperature_site.operations.doctor import Finding, State, diagnose
from temperature_site.schedule import ensure_schedule
from tests.alarm_factories import ChannelFactory
from tests.factories import SourceFactory, StorageUnitFactory

NOW = datetime(2026, 11, 28, 14, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def only(check: doctor.Check, now: datetime = NOW) -> Finding:
    (finding,) = diagnose(now, [check])
    return finding


def test_a_schedule_without_entries_is_completed_by_a_command() -> None:
    PeriodicTask.objects.all().delete()
    missing = only(doctor.check_schedule)
    assert (missing.state, missing.advice) == (State.PROBLEM, "Run `manage.py ensure_schedule`.")
    assert "Send due sources" in missing.detail

    ensure_schedule()
    assert only(doctor.check_schedule).state == State.OK

    PeriodicTask.objects.filter(name="Heartbeat").update(enabled=False)
    assert only(doctor.check_schedule).detail == "disabled: Heartbeat"


def test_times_of_beat_in_the_future_are_a_clock_that_is_wrong() -> None:
    ensure_schedule()
    assert only(doctor.check_clocks).state == State.OK

    PeriodicTask.objects.filter(name="Heartbeat").update(last_run_at=timezone.now() + timedelta(hours=1))

    assert only(doctor.check_clocks).detail == "beat has recorded times in the future"


def test_a_due_source_whose_lease_expired_long_ago_is_stuck() -> None:
    source = SourceFactory.create(lease_until=NOW - timedelta(hours=1), next_due_at=NOW - timedelta(hours=1))
    assert only(doctor.check_leases).detail == "expired and not claimed again: 1 source"

    source.is_paused = True
    source.save()
    assert only(doctor.check_leases).state == State.OK


def test_a_source_whose_polls_ended_their_worker_is_a_problem_and_not_late() -> None:
    source = SourceFactory(next_due_at=NOW - timedelta(days=1), polls_begun=5)
    assert only(doctor.check_interrupted_sources).state == State.OK

    source.polls_begun = 6
    source.save()

    found = only(doctor.check_interrupted_sources)
    assert (found.state, found.detail[:11]) == (State.PROBLEM, "1 source is")
    assert only(doctor.check_late_sources, timezone.now()).state == State.OK


def test_units_that_wait_to_be_calculated_again_are_counted_and_a_problem_after_hours() -> None:
    assert only(doctor.check_recalculation).detail == "no unit waits"

    first, second = StorageUnitFactory.create_batch(2)
    asked_at = NOW - timedelta(hours=5)
    for unit in (first, second):
        RollupRebuild.objects.create(storage_unit=unit, requested_at=NOW)
    Reevaluation.objects.create(storage_unit=first, since=NOW, requested_at=asked_at)

    found = only(doctor.check_recalculation)
    assert (found.state, found.detail) == (
        State.OK,
        "2 units wait to be calculated again, since 2026-11-28 09:00 UTC",
    )
    assert only(doctor.check_recalculation, NOW + timedelta(hours=2)).state == State.PROBLEM


def test_a_backup_is_missed_after_the_set_time(settings: Settings) -> None:
    settings.DEMO, settings.BACKUP_HOURS = False, 26
    assert only(doctor.check_backup).detail == "none was ever taken"

    Backup.objects.create(taken_at=NOW - timedelta(hours=27), folder="a:/b", size_bytes=1, duration_seconds=1)
    assert only(doctor.check_backup).detail == "the newest is of 2026-11-27 11:00 UTC"

    Backup.objects.create(taken_at=NOW - timedelta(hours=1), folder="a:/c", size_bytes=1, duration_seconds=1)
    assert only(doctor.check_backup).state == State.OK

    settings.BACKUP_HOURS = 0
    assert diagnose(NOW, [doctor.check_backup]) == []


def test_a_mail_server_that_does_not_answer_is_a_problem_and_none_a_warning(settings: Settings) -> None:
    settings.EMAIL_URL = ""
    assert only(doctor_surroundings.check_mail).state == State.WARNING

    settings.EMAIL_URL = "smtp://user:hush@127.0.0.1:1"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    refused = only(doctor_surroundings.check_mail)
    assert refused.state == State.PROBLEM
    assert "hush" not in refused.detail


def test_a_webhook_whose_host_is_not_allowed_is_named(settings: Settings) -> None:
    settings.NOTIFICATION_ALLOWED_NETWORKS = []
    assert only(doctor_surroundings.check_webhooks).detail == "none configured"

    ChannelFactory.create(kind=Channel.Kind.WEBHOOK, address="http://127.0.0.1:9/secret-path")

    unreachable = only(doctor_surroundings.check_webhooks)
    assert unreachable.detail == "127.0.0.1:9: 127.0.0.1 has no public address."


def test_more_webhooks_than_are_tried_have_a_finding(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.NOTIFICATION_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(doctor_surroundings, "MAX_HOSTS", 1)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            ChannelFactory.create(kind=Channel.Kind.WEBHOOK, address=f"http://{host}:{port}/")

        assert only(doctor_surroundings.check_webhooks).detail == "1 of 2 hosts tried, all reached"


def test_without_a_database_the_other_findings_remain() -> None:
    def check_something(now: datetime) -> list[Finding]:
        raise OperationalError("server closed the connection\nDETAIL: more")

    lost, disk = diagnose(NOW, [check_something, doctor_surroundings.check_disk])
    assert (lost.part, lost.state, lost.detail) == (
        "something",
        State.PROBLEM,
        "unknown: server closed the connection",
    )
    assert disk.part == "disk"


def test_the_command_prints_every_finding_and_fails_for_a_problem() -> None:
    output = io.StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", "--json", stdout=output)

    findings = json.loads(output.getvalue())
    parts = {each["part"] for each in findings}
    assert {"settings", "migrations", "beat", "clocks", "clock of this machine", "disk", "mail", "webhooks"} <= parts
    assert all(each["advice"] for each in findings if each["state"] != "ok")

    table = io.StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", stdout=table)
    assert "Run `manage.py ensure_schedule`." in table.getvalue()
    assert len(CHECKS) == 14


def test_the_version_is_that_of_the_project() -> None:
    assert django_settings.VERSION == "1.0.0"
