"""The kinds of channels, one module each; every module implements `ChannelKind`."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from alarms.models import Channel
from alarms.notifications.channels.base import ChannelKind

# Imported when first used: apprise is large, and most processes send no messages.
_MODULES = {
    Channel.Kind.EMAIL: "email",
    Channel.Kind.WEBHOOK: "webhook",
    Channel.Kind.APPRISE: "apprise_service",
}


def kind_of(kind: str) -> ChannelKind:
    """Return the implementation of this kind of channel."""
    return cast(ChannelKind, import_module(f"{__name__}.{_MODULES[Channel.Kind(kind)]}"))
