"""Webhook channels: signed POST requests as specified by https://www.standardwebhooks.com.

`webhook-id` is the message's id, the same for every attempt; `webhook-timestamp` the attempt's time in whole seconds;
`webhook-signature` a `v1,` signature for each valid secret, separated by spaces: the base64 of the HMAC-SHA256 of
`id.timestamp.body`, keyed with the bytes behind `whsec_`.
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
from alarms.notifications.channels.base import DeliveryResult, excerpt
from core.backoff import retry_after_seconds
from core.http.addresses import parse_networks, parse_ports
from core.http.guarded_http import FetchFailure, FetchLimits, GuardedExchange, parse_target

SECRET_PREFIX = "whsec_"  # noqa: S105  the prefix of every secret, not a secret
SECRET_BYTES = 32
ANSWER_BYTES = 2_048
GONE = http.client.GONE


def send(channel: Channel, message: Message) -> DeliveryResult:
    """POST the message once, without following redirects. Raise SecretUnreadable."""
    now = timezone.now()
    body = json.dumps(message.data, ensure_ascii=False).encode()
    valid = channel.secrets_at(now)
    address = channel.request_address
    hidden = [*valid, *_possible_secrets(address)]
    try:
        with GuardedExchange(_limits(), parse_networks(settings.NOTIFICATION_ALLOWED_NETWORKS)) as exchange:
            response = exchange.open("POST", address, headers(message, body, valid, now), body)
            return _result(response, hidden, now)
    except FetchFailure as failure:
        return DeliveryResult(False, excerpt(failure.message, hidden))


def settings_error(address: str, secret: str) -> str:
    """Return why the URL or secret is invalid. Whether the address may be contacted is checked on connecting."""
    try:
        parse_target(address)
    except FetchFailure as failure:
        return failure.message
    return "" if signing_key(secret) else f"A secret consists of {SECRET_PREFIX} and the base64 of 24 to 64 bytes."


def new_secret() -> str:
    """Return a random secret in the standard format."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")


def signing_key(secret: str) -> bytes:
    """Return the key encoded in `secret`; no bytes if its format is invalid."""
    if not secret.startswith(SECRET_PREFIX):
        return b""
    try:
        key = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return key if 24 <= len(key) <= 64 else b""


def headers(message: Message, body: bytes, valid_secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """Return the headers that authenticate the message and identify repeats."""
    identity, timestamp = str(message.public_id), str(int(at.timestamp()))
    signed = b".".join([identity.encode(), timestamp.encode(), body])
    return {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "webhook-id": identity,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(signing_key(secret), signed) for secret in valid_secrets),
    }


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + b64encode(hmac.new(key, signed, sha256).digest()).decode("ascii")


def _possible_secrets(address: str) -> list[str]:
    """Return the parts of an address that a receiver may repeat, and that open its door."""
    path, _, query = address.partition("://")[2].partition("/")[2].partition("?")
    return [address, path, *path.split("/"), query]


def _result(response: http.client.HTTPResponse, hidden: Sequence[str], now: datetime) -> DeliveryResult:
    try:
        answer = excerpt(response.read(ANSWER_BYTES).decode("utf-8", "replace"), hidden)
    except (OSError, http.client.HTTPException):
        answer = ""  # The status decides, and it has arrived.
    return DeliveryResult(
        is_delivered=200 <= response.status < 300,
        answer=answer,
        status_code=response.status,
        retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After"), now),
        is_gone=response.status == GONE,
    )


def _limits() -> FetchLimits:
    total = settings.NOTIFICATION_TOTAL_SECONDS
    ports = parse_ports(settings.OUTGOING_PORTS)
    return FetchLimits(min(5.0, total), total, total, max_bytes=ANSWER_BYTES, max_redirects=0, ports=ports)
