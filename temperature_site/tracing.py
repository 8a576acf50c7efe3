"""Send the spans of `core.tracing` to an OpenTelemetry collector.

OpenTelemetry reads its other settings from the environment itself: headers, the service's name, the share of traces.
"""

from __future__ import annotations

import os
import socket

from django.conf import settings
from opentelemetry import trace

FLUSH_MILLISECONDS = 2_000


def start_tracing(process: str) -> None:
    """Record spans in this process from now on, if a collector is set. Call it after the process has been forked.

    `process`: its name in the Procfile. Spans are sent by a thread; while the collector does not answer they are
    dropped, which the log reports.
    """
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return
    # Not imported without need: it takes memory and a fifth of a second.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create(
        {
            "service.name": settings.OTEL_SERVICE_NAME,
            "service.version": settings.VERSION,
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            "process.command": process,
        }
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def send_spans() -> None:
    """Send the recorded spans before the process ends."""
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        from opentelemetry.sdk.trace import TracerProvider

        provider = trace.get_tracer_provider()
        if isinstance(provider, TracerProvider):
            provider.force_flush(FLUSH_MILLISECONDS)
