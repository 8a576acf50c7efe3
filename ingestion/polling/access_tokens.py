"""Access tokens of sources that authenticate with OAuth 2 client credentials, kept until they expire."""

from __future__ import annotations

import warnings
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from http.client import HTTPException
from urllib.parse import quote

from django.utils import timezone
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

from core.backoff import retry_after_seconds
from core.crypto.encrypted_field import Secret
from core.http.guarded_http import FetchFailure, GuardedExchange
from ingestion.models import Source
from ingestion.polling.fetch import EXCERPT_BYTES, allowed_networks_from_settings, limits_from_settings
from ingestion.sources.credentials import Credentials

_MAX_RESPONSE_BYTES = 64 * 1024
# A token that expires while a request is under way would fail it.
_MARGIN = timedelta(seconds=60)
# If the server does not say how long a token is valid.
_DEFAULT_SECONDS = 300
_MAX_SECONDS = 30 * 86_400
# Raised by oauthlib for a response without a token, or by what it does with members that have other types than the
# standard says.
_NO_TOKEN = (OAuth2Error, Warning, ValueError, TypeError, AttributeError, OverflowError, RecursionError)


def access_token(source: Source, credentials: Credentials, *, is_fresh: bool = False) -> str:
    """Return a valid access token of the source; `is_fresh`: not the one kept. Raise FetchFailure."""
    purpose = _purpose(source, credentials)
    expires_at = source.access_token_expires_at if source.access_token_for == purpose else None
    if expires_at is not None and not is_fresh and timezone.now() < expires_at:
        return source.access_token.reveal()
    token, seconds = _requested(source, credentials)
    source.access_token, source.access_token_for = Secret.of(token), purpose
    source.access_token_expires_at = timezone.now() + timedelta(seconds=seconds) - _MARGIN
    # Not with the rest of the source: a poll must not write its settings.
    Source.objects.filter(pk=source.pk).update(
        access_token=source.access_token,
        access_token_for=purpose,
        access_token_expires_at=source.access_token_expires_at,
    )
    return token


def _purpose(source: Source, credentials: Credentials) -> str:
    """Return a hash of what the token was requested with: other credentials need another token."""
    parts = (source.request_token_url, source.token_scope, credentials.name, credentials.secret)
    return sha256("\x1f".join(parts).encode()).hexdigest()


def _requested(source: Source, credentials: Credentials) -> tuple[str, int]:
    """Request a token; return it with the seconds for which it is valid."""
    client = BackendApplicationClient(client_id=credentials.name)
    scope: str | None = " ".join(source.token_scope.split()) or None
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }
    if source.sends_client_in_body:
        body = client.prepare_request_body(scope=scope, include_client_id=True, client_secret=credentials.secret)
    else:
        body = client.prepare_request_body(scope=scope)
        # RFC 6749, 2.3.1: both are form-encoded before.
        pair = f"{quote(credentials.name, safe='')}:{quote(credentials.secret, safe='')}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    answer = _sent(source, headers, body.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # oauthlib warns of a scope that the server has changed
        try:
            issued = client.parse_request_body_response(answer, scope=scope)
        except _NO_TOKEN as error:
            raise FetchFailure("token_refused", "The token URL's response contains no access token.") from error
    token, seconds = str(issued.get("access_token") or ""), issued.get("expires_in")
    if not token or str(issued.get("token_type", "bearer")).lower() != "bearer":
        raise FetchFailure("token_refused", "The token URL's response contains no bearer token.")
    return token, _lifetime(seconds)


def _lifetime(seconds: object) -> int:
    try:
        return min(max(int(float(str(seconds))), 0), _MAX_SECONDS)
    except (ValueError, OverflowError):
        return _DEFAULT_SECONDS


def _sent(source: Source, headers: dict[str, str], body: bytes) -> str:
    with GuardedExchange(limits_from_settings(), allowed_networks_from_settings(), source.ca_certificates) as exchange:
        response = exchange.open("POST", source.request_token_url, headers, body)
        try:
            answer = response.read(_MAX_RESPONSE_BYTES)
        except TimeoutError as error:
            raise FetchFailure("timeout", "The token URL did not respond in time.") from error
        except (OSError, HTTPException) as error:
            raise FetchFailure("connection_failed", "The token URL closed the connection.") from error
    if response.status != 200:
        raise FetchFailure(
            "token_refused",
            f"The token URL answered with status {response.status}. Check the client's id, secret and scope.",
            status=response.status,
            retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After"), timezone.now()),
            body_start=answer[:EXCERPT_BYTES],
        )
    return answer.decode("utf-8", "replace")
