"""What docs/notifications.md promises receivers of webhooks."""

import re
import time

import pytest
from django.conf import settings

from alarms.notifications.tests.sending_now import send_due
from tests.alarm_factories import MessageFactory, WebhookChannelFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def is_genuine():
    """The function that the documentation shows."""
    text = (settings.BASE_DIR / "docs" / "notifications.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    shown = {}
    exec(code, shown)  # noqa: S102  our own documentation
    return shown["is_genuine"]


def test_the_example_tells_genuine_messages_from_others(receive, is_genuine):
    receiver = receive()
    channel = WebhookChannelFactory(address=receiver.url)
    MessageFactory(channel=channel)
    send_due()
    (delivery,) = receiver.deliveries
    secret = channel.secret.reveal()
    assert is_genuine(delivery.headers, delivery.body, secret)
    assert not is_genuine(delivery.headers, delivery.body + b" ", secret)
    assert not is_genuine(delivery.headers, delivery.body, WebhookChannelFactory().secret.reveal())
    assert not is_genuine(delivery.headers | {"webhook-id": "another"}, delivery.body, secret)
    assert not is_genuine(delivery.headers, delivery.body, secret, now=time.time() + 301)
