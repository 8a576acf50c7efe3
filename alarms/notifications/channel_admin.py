"""Operations on channels: test, enable, disable, rotate the secret."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from alarms.models import Channel, Message
from alarms.notifications.channels.webhook import new_secret
from alarms.notifications.messages import channel_test_content
from core.db import clock

# Receivers may verify with either secret for this long.
ROTATION_PERIOD = timedelta(days=7)


def send_test(channel: Channel, *, by: str) -> Message:
    """Queue a test message, which is sent within seconds; its row shows the result."""
    now = clock.database_now()
    message = Message(channel=channel, reason=Message.Reason.TEST, tried_since=now, next_attempt_at=now)
    channel_test_content(channel, message.created_at, by).apply_to(message)
    message.save()
    return message


@transaction.atomic
def enable(channel: Channel) -> None:
    """Enable `channel`; its waiting messages are retried at once, for another three days."""
    now = clock.database_now()
    Channel.objects.filter(pk=channel.pk).update(
        is_enabled=True, disabled_reason="", failures_in_a_row=0, last_error="", last_duration_seconds=None
    )
    channel.messages.filter(state=Message.State.WAITING, next_attempt_at__gt=now, attempt_count__gt=0).update(
        next_attempt_at=now
    )
    channel.messages.filter(state=Message.State.WAITING, tried_since__lt=now).update(tried_since=now)


def disable(channel: Channel, *, reason: str) -> None:
    """Disable `channel`: it is not notified any more, and its waiting messages stay in the queue."""
    Channel.objects.filter(pk=channel.pk).update(is_enabled=False, disabled_reason=reason)


@transaction.atomic
def rotate_secret(channel: Channel) -> str:
    """Give a webhook a new secret and return it; the old one stays valid for a week. Raise SecretUnreadable."""
    locked = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    secret = new_secret()
    locked.previous_secret = locked.secret.reveal()
    locked.previous_secret_until = timezone.now() + ROTATION_PERIOD
    locked.secret = secret
    locked.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
    return secret
