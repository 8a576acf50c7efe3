"""E-mail as a real SMTP server receives it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from pytest_django import Settings

from alarms.models import Attempt, Message
from alarms.notifications.channels.email import REPEATS, settings_error
from alarms.notifications.tests.delivery import deliver_due
from alarms.tasks import HARD_SECONDS, SOFT_SECONDS
from tests.alarm_factories import ChannelFactory, MessageFactory, RuleFactory, open_alarm
from tests.factories import StorageUnitFactory
from tests.mail_receiver import MailReceiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def inbox(settings: Settings) -> Iterator[MailReceiver]:
    with MailReceiver() as receiver:
        receiver.configure(settings)
        yield receiver


def test_an_alarm_arrives_as_a_mail_to_every_address(inbox: MailReceiver) -> None:
    unit = StorageUnitFactory(name="Kühlschrank 3", facility__name="Depot")
    channel = ChannelFactory(customer=unit.facility.customer, address="a@example.com, b@example.com")
    RuleFactory(customer=unit.facility.customer, channels=[channel])
    open_alarm(storage_unit=unit)

    (attempt,) = deliver_due()

    (mail,) = inbox.mails
    message = Message.objects.get()
    assert inbox.recipients == [["a@example.com", "b@example.com"]]
    assert mail["Message-ID"] == f"<{message.public_id}@cold.example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert "Kühlschrank 3 in Depot, 12.0 °C" in text.decode().replace("\xa0", " ")
    assert attempt.outcome == Attempt.Outcome.DELIVERED
    assert message.state == Message.State.SENT


def test_a_repeat_has_the_same_message_id(inbox: MailReceiver) -> None:
    message = MessageFactory()
    deliver_due()
    Message.objects.update(state=Message.State.WAITING, sent_at=None)
    deliver_due()
    assert [mail["Message-ID"] for mail in inbox.mails] == [f"<{message.public_id}@cold.example.com>"] * 2


def test_a_refusal_is_stored_with_its_code_and_retried(inbox: MailReceiver) -> None:
    inbox.refusal = "550 no such user"
    MessageFactory()
    (attempt,) = deliver_due()
    assert (attempt.outcome, attempt.status_code, attempt.answer) == ("failed", 550, "no such user")
    assert Message.objects.get().state == Message.State.WAITING


@pytest.fixture
def soft_limit() -> Iterator[signal.Signals]:
    """Return the signal by which a worker's soft time limit takes effect."""

    def exceed(signum: int, frame: FrameType | None) -> None:
        raise SoftTimeLimitExceeded

    previous = signal.signal(signal.SIGUSR1, exceed)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, previous)


def test_a_server_that_hangs_does_not_outlast_the_time_limit_of_a_worker(
    inbox: MailReceiver, soft_limit: signal.Signals
) -> None:
    worker = threading.main_thread().ident
    assert worker is not None
    inbox.on_hanging = lambda: signal.pthread_kill(worker, soft_limit)
    message = MessageFactory()

    (attempt,) = deliver_due()

    assert attempt.answer == "No answer within 15 s."
    assert attempt.duration_seconds < HARD_SECONDS - SOFT_SECONDS
    message.channel.refresh_from_db()
    assert message.channel.failures_in_a_row == 1


def test_an_address_that_is_refused_is_named_and_the_others_are_mailed_once(inbox: MailReceiver) -> None:
    channel = ChannelFactory(address="left@example.com, here@example.com")
    inbox.refusals = {"left@example.com": "550 no such user"}
    message = MessageFactory(channel=channel)

    (attempt,) = deliver_due()

    refusal = "Not accepted: left@example.com (550 no such user)."
    assert inbox.recipients == [["here@example.com"]]
    assert (attempt.outcome, attempt.status_code, attempt.answer) == ("delivered", 550, refusal)
    message.refresh_from_db()
    channel.refresh_from_db()
    assert message.state == Message.State.SENT
    assert (channel.failures_in_a_row, channel.last_error) == (0, refusal)

    inbox.refusals = {}
    MessageFactory(channel=channel)
    deliver_due()
    channel.refresh_from_db()
    assert channel.last_error == ""


@pytest.mark.parametrize(("attempts", "outcome"), [(0, "failed"), (REPEATS - 1, "failed"), (REPEATS, "delivered")])
def test_a_mail_is_repeated_a_few_times_for_an_address_that_is_refused_for_now(
    inbox: MailReceiver, attempts: int, outcome: str
) -> None:
    inbox.refusals = {"new@example.com": "451 greylisted"}
    MessageFactory(channel__address="here@example.com, new@example.com", attempt_count=attempts)
    (attempt,) = deliver_due()
    assert attempt.outcome == outcome
    assert attempt.answer == "Not accepted: new@example.com (451 greylisted)."


def test_an_unreachable_server_is_a_failure(inbox: MailReceiver, settings: Settings) -> None:
    settings.EMAIL_PORT = 1
    MessageFactory()
    (attempt,) = deliver_due()
    assert attempt.outcome == Attempt.Outcome.FAILED
    assert "ConnectionRefusedError" in attempt.answer


def test_without_a_mail_server_nothing_counts_as_sent(settings: Settings) -> None:
    settings.EMAIL_URL = ""
    MessageFactory()
    (attempt,) = deliver_due()
    assert attempt.answer == "No mail server is configured (EMAIL_URL)."


@pytest.mark.parametrize("address", ["", " , ", "nobody", "a@example.com, b", ",".join(["a@example.com"] * 21)])
def test_invalid_addresses_are_rejected(address: str) -> None:
    assert settings_error(address, "").endswith(".")
