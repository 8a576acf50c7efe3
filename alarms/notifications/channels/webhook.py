"""Channels that lead to a program of the customer's: signed webhooks after https://www.standardwebhooks.com.

`webhook-id` is the message's id, the same for every repeat; `webhook-timestamp` the attempt's time in whole seconds;
`webhook-signature` a `v1,` signature for each secret that is valid, separated by spaces: the base64 of the HMAC-SHA256,
under the bytes behind `whsec_`, of `id.timestamp.body`.
"""

from __future__ import annotations

import binascii
import hmac
import http.client
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from django.conf import settings
from django.utils import timezone

from alarms.models import Channel, Message
from alarms.notifications.channels.outcome import Outcome, excerpt
from core.http.addresses import parse_networks
from core.http.guarded_http import FetchFailure, FetchLimits, GuardedExchange, parse_target
from core.http.retry_after import retry_after_seconds

SECRET_PREFIX = "whsec_"  # noqa: S105  what every such secret begins with
SECRET_BYTES = 32
ANSWER_BYTES = 2_048
GONE = http.client.GONE


def send(channel: Channel, message: Message) -> Outcome:
    """POST the message once. No redirect is followed: whoever moved enters the new address. Raises SecretUnreadable."""
    now = timezone.now()
    body = json.dumps(message.data, ensure_ascii=False).encode()
    valid = channel.secrets_at(now)
    hidden = [*valid, channel.address, channel.address.partition("?")[2]]
    try:
        with GuardedExchange(_limits(), parse_networks(settings.NOTIFICATION_ALLOWED_NETWORKS)) as exchange:
            response = exchange.open("POST", channel.address, headers(message, body, valid, now), body)
            return _outcome(response, hidden, now)
    except FetchFailure as failure:
        return Outcome(False, excerpt(failure.message, hidden))


def problem(address: str, secret: str) -> str:
    """Say why no webhook can be sent there. Whether its address may be connected to is seen when it is."""
    try:
        parse_target(address)
    except FetchFailure as failure:
        return failure.message
    return "" if key_of(secret) else f"A secret is {SECRET_PREFIX} and the base64 of 24 to 64 bytes."


def new_secret() -> str:
    """A random secret in the form that receivers know."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")


def key_of(secret: str) -> bytes:
    """The bytes that sign; none when `secret` has not the form of one."""
    if not secret.startswith(SECRET_PREFIX):
        return b""
    try:
        key = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return key if 24 <= len(key) <= 64 else b""


def headers(message: Message, body: bytes, valid_secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers by which the receiver knows who sent this, when, and whether it is a repeat."""
    identity, timestamp = str(message.public_id), str(int(at.timestamp()))
    signed = b".".join([identity.encode(), timestamp.encode(), body])
    return {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "webhook-id": identity,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(key_of(secret), signed) for secret in valid_secrets),
    }


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + b64encode(hmac.new(key, signed, sha256).digest()).decode("ascii")


def _outcome(response: http.client.HTTPResponse, hidden: Sequence[str], now: datetime) -> Outcome:
    try:
        answer = excerpt(response.read(ANSWER_BYTES).decode("utf-8", "replace"), hidden)
    except (OSError, http.client.HTTPException):
        answer = ""  # The status is what counts, and that has arrived.
    return Outcome(
        is_delivered=200 <= response.status < 300,
        answer=answer,
        status_code=response.status,
        retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After"), now),
        is_gone=response.status == GONE,
    )


def _limits() -> FetchLimits:
    total = settings.NOTIFICATION_TOTAL_SECONDS
    return FetchLimits(min(5.0, total), total, total, max_bytes=ANSWER_BYTES, max_redirects=0)
