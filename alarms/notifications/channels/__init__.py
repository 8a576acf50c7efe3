"""The kinds of channels, one module each; every module implements `ChannelKind`."""

from __future__ import annotations

from typing import cast

from alarms.models import Channel
from alarms.notifications.channels import apprise_service, email, webhook
from alarms.notifications.channels.base import ChannelKind

_KINDS = {
    Channel.Kind.EMAIL: email,
    Channel.Kind.WEBHOOK: webhook,
    Channel.Kind.APPRISE: apprise_service,
}


def kind_of(kind: str) -> ChannelKind:
    """Return the implementation of this kind of channel."""
    return cast(ChannelKind, _KINDS[Channel.Kind(kind)])
