"""A broker over TLS that stops and starts, refuses, or serves two subscribers; and the documented examples."""

from __future__ import annotations

import json
import re
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.db import connection
from pytest_django import Settings

from core.db import clock
from ingestion.models import Delivery, RejectedRow, Source
from ingestion.models.source_request import SourceSubscription
from ingestion.subscribing import client, subscriber
from ingestion.subscribing.tests.brokers import PASSWORD, USER, WAIT_SECONDS, OwnBroker, own_broker, running
from readings.models import Reading
from readings.units.scales import from_celsius
from tests.certificates import Authority
from tests.factories import PushSourceFactory
from tests.running_system import wait_until

__all__ = ["own_broker"]

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = (Path(site_settings.BASE_DIR) / "docs" / "sources.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```mqtt\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _loopback(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber, "ROUND_SECONDS", 0.3)
    # However long a loaded machine takes to start the broker again, it is not waited for longer than the tests wait.
    monkeypatch.setattr(client, "LAST_RECONNECT_SECONDS", 2)
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.OUTGOING_PORTS = ["1-65535"]


def source_of(broker: OwnBroker, **fields: object) -> Source:
    signed_in = {"credentials_kind": "basic", "credentials_name": USER, "credentials_secret": PASSWORD}
    trusted = {"broker_url": broker.url, "topic_filters": ["{unit}/t"], "ca_certificates": broker.authority.pem}
    source = PushSourceFactory(ingestion_type="mqtt", **(trusted | signed_in | fields))
    source.full_clean()
    return source


def wait_for(what: str, is_met: Callable[[], bool]) -> None:
    wait_until(what, is_met, seconds=WAIT_SECONDS, look_every=0.05)


def last_error() -> str:
    return Source.objects.get().last_error


def is_subscribed(broker: OwnBroker) -> bool:
    """Return whether a message that is no reading of the test arrives."""
    probe = {"time": "2026-11-01T10:00:00Z", "temperature": 1, "scale": "C"}
    broker.publish({"probe/t": json.dumps(probe)})
    return Delivery.objects.exists()


def rows(first: int, last: int) -> dict[str, str]:
    """Return messages of as many units."""
    reading = {"time": "2026-11-23T10:00:00Z", "temperature": 4.5, "scale": "C"}
    return {f"F{number}/t": json.dumps(reading) for number in range(first, last)}


def test_nothing_is_lost_or_stored_twice_when_the_broker_restarts(own_broker: OwnBroker) -> None:
    source_of(own_broker)
    with running():
        wait_for("the session exists", lambda: is_subscribed(own_broker))
        own_broker.publish(rows(0, 50))
        own_broker.stop()
        wait_for("the interruption is shown", lambda: last_error() != "")
        own_broker.start()
        own_broker.publish(rows(50, 60))
        wait_for("all are stored", lambda: Reading.objects.exclude(temperature_c=1).count() == 60)
        wait_for("the source is well again", lambda: last_error() == "")

    assert RejectedRow.objects.count() == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_connection_that_an_unexpected_error_ends_is_made_again(
    own_broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A malformed packet, for example, ends the thread of the connection, which nobody waits for."""
    source_of(own_broker)
    errors: list[Exception] = []
    receive = client.SourceClient._received

    def fail_once(self: client.SourceClient, *message: Any) -> None:
        if not errors:
            errors.append(struct.error("unpack requires a buffer of 2 bytes"))
            raise errors[0]
        receive(self, *message)

    monkeypatch.setattr(client.SourceClient, "_received", fail_once)
    with running():
        wait_for("messages arrive", lambda: is_subscribed(own_broker))

    assert (len(errors), last_error()) == (1, "")


def test_a_source_is_paused_while_more_messages_wait_than_the_queue_holds(own_broker: OwnBroker) -> None:
    """The thread of its connection waits for room in the queue, and must not be waited for in turn."""
    source_of(own_broker)
    served = subscriber.Subscriber(lambda: False, lambda: None, Queue(2))
    served._begin_round()

    def is_handed_over() -> bool:
        own_broker.publish(rows(0, 1))
        return not served._queue.empty()

    wait_for("the session exists", is_handed_over)
    own_broker.publish(rows(1, 20))
    wait_for("the queue is full", served._queue.full)
    Source.objects.update(is_paused=True)

    following = threading.Thread(target=_with_own_connection(served._follow_sources), daemon=True)
    following.start()
    following.join(10)
    has_ended = not following.is_alive()
    served._disconnect()

    assert has_ended
    assert Source.objects.get().claim_id is None


def _with_own_connection(run: Callable[[], None]) -> Callable[[], None]:
    def ran() -> None:
        try:
            run()
        finally:
            connection.close()

    return ran


def test_topics_that_no_longer_match_a_filter_are_not_stored(own_broker: OwnBroker) -> None:
    """The broker keeps the subscriptions of a persistent session, also those that a source has no more."""
    source = source_of(own_broker, default_unit_code="D")
    with running():
        wait_for("the session exists", lambda: is_subscribed(own_broker))
        source.topic_filters = ["other/{unit}"]
        source.save()

        def is_stored() -> bool:
            own_broker.publish({"other/G": row(5.5)})
            return temperatures() >= {5.5}

        wait_for("the new filter", is_stored)
        own_broker.publish({"F/t": row(4.5)})
        own_broker.publish({"other/H": row(6.5)})
        wait_for("what was published last is stored", lambda: temperatures() >= {6.5})

    assert temperatures() == {1, 5.5, 6.5}


def test_messages_that_wait_while_their_source_is_changed_are_stored_by_its_new_settings(
    own_broker: OwnBroker,
) -> None:
    """The broker sends them again, and the reading that was stored first would stay."""
    source = source_of(own_broker, topic_filters=["{unit}/t", "old/{unit}"])
    served = subscriber.Subscriber(lambda: False, lambda: None)
    served._begin_round()

    def is_handed_over() -> bool:
        own_broker.publish({"F/t": json.dumps({"time": "2026-11-23T10:00:00Z", "temperature": 41})})
        return not served._queue.empty()

    wait_for("the session exists", is_handed_over)
    own_broker.publish({"old/G": row(6.5)})
    wait_for("the last one has arrived", lambda: any(each.message.topic == "old/G" for each in served._queue.queue))
    source.topic_filters, source.scale = ["{unit}/t"], "F"
    source.save()
    served._follow_sources()
    while not served._queue.empty():
        served._store(served._next_batch())
    served._disconnect()

    assert temperatures() == {5}


def row(temperature: float) -> str:
    return json.dumps({"time": "2026-11-23T10:00:00Z", "temperature": temperature, "scale": "C"})


def temperatures() -> set[float | None]:
    return set(Reading.objects.values_list("temperature_c", flat=True))


def test_a_topic_with_too_long_a_unit_is_kept_as_a_rejected_row_and_holds_up_no_other(own_broker: OwnBroker) -> None:
    source_of(own_broker)
    with running():
        wait_for("the session exists", lambda: is_subscribed(own_broker))
        own_broker.publish({f"{'F' * 101}/t": row(4.5), f"{'G' * 101}/t": "{]", "F/t": row(5.5)})
        wait_for("the other one is stored", lambda: temperatures() >= {5.5})
        wait_for("both are kept", lambda: RejectedRow.objects.count() == 2)

    assert set(RejectedRow.objects.values_list("reason", flat=True)) == {"code_too_long", "invalid_json"}
    assert 4.5 not in temperatures()


def test_each_source_belongs_to_one_subscriber_until_that_ends(own_broker: OwnBroker) -> None:
    source = source_of(own_broker)
    with running():
        with running():
            wait_for("a subscriber has it", lambda: is_subscribed(own_broker))
            first = Source.objects.get().claim_id
            assert first is not None
            own_broker.publish(rows(0, 20))
            wait_for("all are stored", lambda: Reading.objects.exclude(temperature_c=1).count() == 20)
            assert (Source.objects.get().claim_id, last_error()) == (first, "")
            # As if a subscriber had stopped for half a minute: another one takes its place.
            Source.objects.update(lease_until=clock.database_now())
            wait_for("another claim", lambda: Source.objects.get().claim_id not in (None, first))
            own_broker.publish(rows(20, 40))
            wait_for("all are stored", lambda: Reading.objects.exclude(temperature_c=1).count() == 40)
        wait_for("the other one has it", lambda: Source.objects.get().claim_id is not None)
        own_broker.publish(rows(40, 50))
        wait_for("all are stored", lambda: Reading.objects.exclude(temperature_c=1).count() == 50)

    assert (Source.objects.get().claim_id, RejectedRow.objects.filter(delivery__source=source).count()) == (None, 0)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ca_certificates": ""}, "certificate is not trusted"),
        ({"credentials_secret": "wrong"}, "refused the connection"),
        ({"broker_url": "mqtts://127.0.0.1:1"}, "127.0.0.1"),
    ],
)
def test_why_there_is_no_connection_is_shown_with_the_source(
    own_broker: OwnBroker, fields: dict[str, str], told: str
) -> None:
    source_of(own_broker, **fields)
    with running():
        wait_for("it is told", lambda: told in last_error())


def test_another_authority_does_not_vouch_for_the_broker(own_broker: OwnBroker, tmp_path: Path) -> None:
    source_of(own_broker, ca_certificates=Authority(tmp_path / "other").pem)
    with running():
        wait_for("it is told", lambda: "certificate is not trusted" in last_error())


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_documented_source_stores_its_messages(own_broker: OwnBroker, example: str) -> None:
    lines, messages, result = example.split("---\n")
    texts = dict(line.split(": ", 1) for line in lines.splitlines())
    fields: dict[str, object] = {**texts, "topic_filters": texts["topic_filters"].split(", ")}
    # What only the test's own broker can tell.
    fields |= {"broker_url": own_broker.url, "ca_certificates": own_broker.authority.pem}
    source_of(own_broker, **fields)

    with running():
        wait_for("the session exists", lambda: Source.objects.get().lease_until is not None)
        published = dict(line.split(" | ") for line in messages.splitlines())

        def is_stored() -> bool:
            own_broker.publish(published)
            return Reading.objects.count() == len(result.splitlines())

        wait_for("they are stored", is_stored)

    assert shown() == sorted(result.splitlines())


def shown() -> list[str]:
    """Return the readings as the page shows them."""
    found = Reading.objects.select_related("storage_unit").order_by("storage_unit__unit_code")
    return sorted(
        f"{each.storage_unit.unit_code} {each.recorded_at:%Y-%m-%dT%H:%M:%S}"
        f" {from_celsius(each.temperature_c or 0.0, each.scale):g} {each.scale}"
        for each in found
    )


def test_every_setting_has_an_example() -> None:
    used = {line.partition(":")[0] for example in EXAMPLES for line in example.partition("---")[0].splitlines()}
    settable = {field.name for field in SourceSubscription._meta.get_fields() if getattr(field, "editable", False)}

    assert (settable | {"ca_certificates", "credentials_kind"}) - used == set()
