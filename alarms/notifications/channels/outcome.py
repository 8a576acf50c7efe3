"""How an attempt to deliver a message ended: what every kind of channel answers with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ANSWER_MAX_LENGTH = 500
# Shorter pieces of a secret are words that an answer may well hold by itself.
_SECRET_MIN_LENGTH = 6


@dataclass(frozen=True, slots=True)
class Outcome:
    """`answer`: an excerpt without secrets; `status_code` of HTTP or SMTP, None without one; `retry_after_seconds`:
    how long the receiver asked to be left alone; `is_gone`: it never wants anything again.
    """

    is_delivered: bool
    answer: str = ""
    status_code: int | None = None
    retry_after_seconds: int | None = None
    is_gone: bool = False


def excerpt(text: str, secrets: Iterable[str] = ()) -> str:
    """The beginning of `text` on one line, without what it holds of `secrets` and without control characters."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SECRET_MIN_LENGTH:
            text = text.replace(secret, "***")
    readable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(readable.split())[:ANSWER_MAX_LENGTH]
