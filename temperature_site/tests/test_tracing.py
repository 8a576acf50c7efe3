"""Spans are sent to a collector if one is set."""

from __future__ import annotations

import os
import subprocess
import sys

from django.conf import settings

from tests.webhook_receiver import WebhookReceiver

# What a process of the worker does.
PROCESS = """
import django
django.setup()
from core.tracing import span
from temperature_site.tracing import send_spans, start_tracing
start_tracing("worker")
with span("poll", customer="A"):
    pass
send_spans()
import sys
print("opentelemetry.sdk" in sys.modules)
"""


def run_process(**environment: str) -> str:
    """Run PROCESS with further settings; return what it prints."""
    given = os.environ | {"DJANGO_SETTINGS_MODULE": "temperature_site.settings"} | environment
    command = [sys.executable, "-c", PROCESS]
    ended = subprocess.run(
        command, cwd=settings.BASE_DIR, env=given, check=True, timeout=60, stdout=subprocess.PIPE, text=True
    )
    return ended.stdout.strip()


def test_spans_are_sent_to_the_collector_with_the_service_and_the_process() -> None:
    with WebhookReceiver() as collector:
        site = collector.url.removesuffix("/alarms")
        run_process(OTEL_EXPORTER_OTLP_ENDPOINT=site, OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20x")

        (sent,) = collector.deliveries
    assert sent.headers["authorization"] == "Bearer x"
    for name in (b"poll", b"temperature-monitoring", settings.VERSION.encode(), b"worker"):
        assert name in sent.body


def test_without_a_collector_nothing_is_loaded_for_it() -> None:
    assert run_process(OTEL_EXPORTER_OTLP_ENDPOINT="") == "False"
