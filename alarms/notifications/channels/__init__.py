"""The kinds of channels. Each has a file with the same two functions.

`send(channel, message) -> Outcome` tries once, within NOTIFICATION_TOTAL_SECONDS, and raises nothing but
SecretUnreadable and programming errors. `problem(address, secret) -> str` says what is wrong with the settings of such
a channel; "": nothing.
"""

from __future__ import annotations

from typing import Protocol, cast

from alarms.models import Channel, Message
from alarms.notifications.channels import apprise_service, email, webhook
from alarms.notifications.channels.outcome import Outcome


class ChannelKind(Protocol):
    """What a kind of channel can do."""

    def send(self, channel: Channel, message: Message) -> Outcome:
        """Try once to deliver."""

    def problem(self, address: str, secret: str) -> str:
        """What is wrong with these settings; "": nothing."""


_KINDS = {
    Channel.Kind.EMAIL: email,
    Channel.Kind.WEBHOOK: webhook,
    Channel.Kind.APPRISE: apprise_service,
}


def kind_of(kind: str) -> ChannelKind:
    """What channels of this kind can do."""
    return cast(ChannelKind, _KINDS[Channel.Kind(kind)])
