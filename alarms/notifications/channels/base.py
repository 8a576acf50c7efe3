"""What every kind of channel implements, and the result of one delivery attempt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from alarms.models import Channel, Message

ANSWER_MAX_LENGTH = 500
# Shorter parts of a secret are ordinary words that an answer may well contain.
_SECRET_MIN_LENGTH = 6


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How a delivery attempt ended.

    `answer` is an excerpt without secrets, `status_code` one of HTTP or SMTP, `retry_after_seconds` the receiver's own
    minimum wait. `is_gone`: the receiver never wants anything again. `is_partial`: delivered, but not to the addresses
    that `answer` names.
    """

    is_delivered: bool
    answer: str = ""
    status_code: int | None = None
    retry_after_seconds: int | None = None
    is_gone: bool = False
    is_partial: bool = False


class ChannelKind(Protocol):
    """The functions of a module that implements a kind of channel."""

    def send(self, channel: Channel, message: Message) -> DeliveryResult:
        """Try once to deliver, within NOTIFICATION_TOTAL_SECONDS.

        Raise nothing but SecretUnreadable and programming errors.
        """

    def settings_error(self, address: str, secret: str) -> str:
        """Return why a channel with these settings cannot work; "" if it can."""


def excerpt(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the beginning of `text` on one line, without `secrets` and control characters."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SECRET_MIN_LENGTH:
            text = text.replace(secret, "***")
    readable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(readable.split())[:ANSWER_MAX_LENGTH]
