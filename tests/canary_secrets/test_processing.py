"""No secret is in a log, in the message of a task, or in a dump of the database, whatever the system does with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.signals import before_task_publish
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from alarms.models import Channel
from alarms.notifications.channel_admin import send_test
from alarms.notifications.deliver import deliver
from alarms.notifications.outbox import claim_due
from alarms.tasks import send_due_messages
from customers.accounts.password_links import send_password_link
from ingestion.models import Delivery, Source
from ingestion.polling.tests.polling import polled
from ingestion.tasks import send_due_sources
from temperature_site.operations.postgres_programs import current_database, find_program
from tests.canary_secrets.planted import Planted, plant

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def published() -> Iterator[list[str]]:
    """Collect what is published for workers, as it is sent."""
    messages: list[str] = []

    def collect(sender: str, body: object, headers: object, **_: object) -> None:
        messages.append(json.dumps([sender, body, headers], default=str))

    before_task_publish.connect(collect)
    yield messages
    before_task_publish.disconnect(collect)


def dump_of_the_database(folder: Path) -> str:
    """Return what pg_dump writes of the database, as text."""
    connection.ensure_connection()
    file = folder / "dump.sql"
    program = find_program("pg_dump", connection.connection.server_version)
    current_database().run(program, ["--file", str(file)])
    return file.read_text(encoding="utf-8")


def work_with_accounts(client: Client, planted: Planted, mail: list[EmailMessage]) -> None:
    """Sign in, begin to add an authenticator app, create a token and a webhook, invite, and request a password link."""
    customer, person = planted.world.customer, planted.person
    client.post(reverse("login"), {"username": person.username, "password": planted.secrets["password"]})
    code = {"code": planted.secrets["recovery code"]}
    assert client.post(reverse("mfa_authenticate"), code).status_code == 302
    person.authenticator_set.all().delete()
    client.post(reverse("account_reauthenticate"), {"password": planted.secrets["password"]})
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    [planted.secrets["authenticator app that is being added"]] = re.findall(r"Key: <code[^>]*>(\w+)</code>", page)
    token = {"token_name": "exporter", "permissions": ["read"]}
    page = client.post(reverse("settings-tokens", args=[customer.public_id]), token).content.decode()
    planted.secrets["new API token"] = re.findall(r"tms_[\w-]{43}", page)[0][12:]
    hook = {"kind": "webhook", "name": "new", "messages_a_minute": 10, "flap_minutes": "30 min"}
    hook |= {"address": f"https://127.0.0.1/services/T0/{planted.new('new webhook')}"}
    page = client.post(reverse("settings-new-channel", args=[customer.public_id]), hook).content.decode()
    planted.secrets["new webhook: signing key"] = re.findall(r"whsec_([\w+/=]{40,})", page)[0]
    invitation = {"email": "other@example.com", "role": "viewer"}
    client.post(reverse("settings-people", args=[customer.public_id]), invitation)
    send_password_link(person.pk)
    for kind, sent in zip(("new invitation", "password link"), mail[-2:], strict=True):
        planted.secrets[kind] = re.findall(r"/([\w-]{20,})", str(sent.body))[-1]


def work_with_sources_and_channels() -> None:
    """Poll and deliver with all credentials, and send tasks for it; every request is refused before it connects."""
    for source in Source.objects.exclude(url=""):
        polled(source)
    Source.objects.update(next_due_at=timezone.now())
    send_due_sources()
    for send in (lambda: [deliver(claim) for claim in claim_due()], send_due_messages):
        for channel in Channel.objects.exclude(kind="apprise"):
            send_test(channel, by="anna")
        send()


def test_nothing_that_is_kept_or_sent_contains_a_secret(
    client: Client,
    settings: Settings,
    mailoutbox: list[EmailMessage],
    published: list[str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    settings.EMAIL_URL, settings.SITE_URL = "smtp://user:secret@mail.example.com", "https://site.example.com"
    planted = plant()

    work_with_accounts(client, planted, mailoutbox)
    work_with_sources_and_channels()

    dump = dump_of_the_database(tmp_path)
    assert Delivery.objects.exists()
    assert "COPY public.source " in dump
    assert any("poll_source" in message for message in published)
    found = {
        "logs": planted.found_in(caplog.text, *capfd.readouterr()),
        "messages of tasks": planted.found_in(*published),
        "dump": planted.found_in(dump),
    }
    assert found == {"logs": [], "messages of tasks": [], "dump": []}
