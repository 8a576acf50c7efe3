"""`manage.py subscriber`: subscribe to the topics of MQTT sources until a signal asks to stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from django.core.management.base import BaseCommand
from typing_extensions import override

from ingestion.subscribing.subscriber import Subscriber
from temperature_site.heartbeats import SUBSCRIBER, record_seen
from temperature_site.tracing import start_tracing


class Command(BaseCommand):
    """Runs the subscriber."""

    help = "Store the messages of MQTT sources. One process of the Procfile; further ones share them."

    @override
    def handle(self, *args: object, **options: object) -> None:
        stopping = threading.Event()
        start_tracing("subscriber")

        def stop(number: int, frame: FrameType | None) -> None:
            stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        Subscriber(is_stopping=stopping.is_set, record_heartbeat=lambda: record_seen([SUBSCRIBER])).run()
