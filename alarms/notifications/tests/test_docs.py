"""The webhook example in docs/notifications.md works."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings

from alarms.notifications.tests.delivery import deliver_due
from tests.alarm_factories import MessageFactory, WebhookChannelFactory
from tests.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def is_genuine() -> Callable[..., bool]:
    """Return the function from the documentation."""
    text = (settings.BASE_DIR / "docs" / "notifications.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  our own documentation
    documented: Callable[..., bool] = names["is_genuine"]
    return documented


def test_the_documented_example_verifies_messages(
    receive: Callable[..., WebhookReceiver], is_genuine: Callable[..., bool]
) -> None:
    receiver = receive()
    channel = WebhookChannelFactory(address=receiver.url)
    MessageFactory(channel=channel)
    deliver_due()
    (delivery,) = receiver.deliveries
    secret = channel.secret.reveal()
    assert is_genuine(delivery.headers, delivery.body, secret)
    assert not is_genuine(delivery.headers, delivery.body + b" ", secret)
    assert not is_genuine(delivery.headers, delivery.body, WebhookChannelFactory().secret.reveal())
    assert not is_genuine(delivery.headers | {"webhook-id": "another"}, delivery.body, secret)
    assert not is_genuine(delivery.headers, delivery.body, secret, now=time.time() + 301)
