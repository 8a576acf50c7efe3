"""What people do to channels: try them, rest them, have them work again, and give them another secret."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from alarms.models import Channel, Message
from alarms.notifications.channels.webhook import new_secret
from alarms.notifications.messages import words_of_test

# For so long the receiver may verify by either secret.
BOTH_SECRETS_VALID = timedelta(days=7)


def test(channel: Channel, *, by: str) -> Message:
    """Have a test sent to `channel` within seconds; its row shows how it went."""
    message = Message(channel=channel, reason=Message.Reason.TEST)
    words_of_test(channel, message.created_at, by).put_into(message)
    message.save()
    return message


@transaction.atomic
def enable(channel: Channel) -> None:
    """Have `channel` work again: what waits for it is tried at once, for another three days."""
    now = timezone.now()
    Channel.objects.filter(pk=channel.pk).update(
        is_enabled=True, disabled_reason="", failures_in_a_row=0, last_error="", last_duration_seconds=None
    )
    channel.messages.filter(state=Message.State.WAITING, next_attempt_at__gt=now, attempt_count__gt=0).update(
        next_attempt_at=now
    )
    channel.messages.filter(state=Message.State.WAITING, tried_since__lt=now).update(tried_since=now)


def disable(channel: Channel, *, reason: str) -> None:
    """Let `channel` rest: nobody is told by it, and what waits for it goes on waiting."""
    Channel.objects.filter(pk=channel.pk).update(is_enabled=False, disabled_reason=reason)


@transaction.atomic
def rotate_secret(channel: Channel) -> str:
    """Give a webhook a new secret and return it; the old one signs as well for a week. Raises SecretUnreadable."""
    locked = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    secret = new_secret()
    locked.previous_secret = locked.secret.reveal()
    locked.previous_secret_until = timezone.now() + BOTH_SECRETS_VALID
    locked.secret = secret
    locked.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
    return secret
