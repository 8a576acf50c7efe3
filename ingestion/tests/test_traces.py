"""One trace leads from the request to a customer's system to the message about what it answered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from alarms.models import Message
from alarms.notifications.tests.delivery import deliver_due
from core import tracing
from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling.claims import claim_now
from ingestion.polling.group import poll_group
from ingestion.polling.tests.polling import ServedSource, json_answer, polled_once
from tests.alarm_factories import RuleFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

# An hour far above the set temperature of -74.2 °C.
TOO_WARM = json_answer(
    json_body(
        *(
            json_row(temperature=-40.0, timestamp=(NOON - timedelta(minutes=ago)).isoformat())
            for ago in (60, 45, 30, 15, 0)
        )
    )
)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Record spans as with a collector."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("tests"))
    return exporter


@pytest.fixture
def source(source_of: Callable[..., ServedSource]) -> ServedSource:
    """Return a source whose poll opens an alarm that somebody is told of."""
    source = source_of(TOO_WARM)
    RuleFactory(customer=source.customer)
    return source


def test_a_trace_leads_from_a_poll_to_the_message(source: ServedSource, spans: InMemorySpanExporter) -> None:
    delivery = polled_once(source)
    deliver_due()

    found = {span.name: span for span in spans.get_finished_spans()}
    assert found.keys() == {"poll", "request", "load", "store", "evaluate", "send message"}
    assert len({span.context.trace_id for span in found.values() if span.context}) == 1
    assert dict(found["poll"].attributes or {}) == {
        "customer": source.customer.customer_code,
        "source": str(source.public_id),
    }
    assert (found["load"].attributes or {})["delivery"] == str(delivery.public_id)
    assert (found["send message"].attributes or {})["message_id"] == str(Message.objects.get().public_id)


def test_requests_of_a_group_belong_to_its_trace(source: ServedSource, spans: InMemorySpanExporter) -> None:
    poll_group([claim_now(source)])

    found = {span.name: span for span in spans.get_finished_spans()}
    parents = {name: span.parent and span.parent.span_id for name, span in found.items()}
    assert parents["poll sources"] is None
    assert found["poll sources"].context is not None
    assert parents["request"] == parents["poll"] == found["poll sources"].context.span_id


def test_nothing_is_traced_without_a_collector(source: ServedSource) -> None:
    polled_once(source)

    assert [message.trace for message in Message.objects.all()] == [""]


def test_a_failed_span_names_the_exception_but_not_its_text(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.span("load"):
        raise ValueError("a secret")

    (failed,) = spans.get_finished_spans()
    assert (failed.status.status_code.name, failed.status.description) == ("ERROR", "ValueError")
    assert "secret" not in failed.to_json()
