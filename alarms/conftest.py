"""Fixtures of the tests of alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_django import Settings

from tests.webhook_receiver import WebhookReceiver


@pytest.fixture
def receive(settings: Settings) -> Iterator[Callable[..., WebhookReceiver]]:
    """Start receivers of webhooks, which the loopback is open for, that stop when the test ends."""
    settings.NOTIFICATION_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with ExitStack() as running:
        yield lambda *arguments: running.enter_context(WebhookReceiver(*arguments))
