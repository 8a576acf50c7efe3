"""Traces of what happens from a poll or push to the messages about it, for an OpenTelemetry collector.

Without a collector (setting `OTEL_EXPORTER_OTLP_ENDPOINT`) the spans do nothing. A span that fails is marked with the
type of the exception only: its text may hold a secret or what a customer's system has sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACE_LENGTH = 55

_tracer = trace.get_tracer("temperature")
_w3c = TraceContextTextMapPropagator()


@contextmanager
def span(name: str, *, parent: str = "", **attributes: str | int) -> Iterator[None]:
    """Trace the block as a part of the current span, or of `parent`, a text that `current_trace` returned."""
    context = _w3c.extract({"traceparent": parent}) if parent else None
    with _tracer.start_as_current_span(
        name, context, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except Exception as error:
            current.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def describe_span(**attributes: str | int) -> None:
    """Add what the current span is about, once it is known."""
    trace.get_current_span().set_attributes(attributes)


def current_trace() -> str:
    """Return the current span as a W3C `traceparent`, of TRACE_LENGTH characters; "" outside of recorded spans."""
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier.get("traceparent", "")
