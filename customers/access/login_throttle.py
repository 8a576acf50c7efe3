"""Throttling of sign-in attempts: by name against guessing a password, by address against trying many names.

Every attempt is counted before it is checked, in PostgreSQL with one statement: for any number of processes and
concurrent attempts, no more than the limit proceed. A success resets the count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import connection
from django.http import HttpRequest

WINDOW = timedelta(minutes=15)
ATTEMPTS_PER_NAME = 10
# A whole company may sign in from one address.
ATTEMPTS_PER_ADDRESS = 100
# One household or office has a whole /64 of addresses.
_IPV6_PREFIX = 64

COUNT = """
INSERT INTO sign_in_tries AS tries (who, ends_at, try_count) VALUES (%(who)s, %(ends_at)s, 1)
ON CONFLICT (who) DO UPDATE SET
    ends_at = CASE WHEN tries.ends_at <= %(now)s THEN excluded.ends_at ELSE tries.ends_at END,
    try_count = CASE WHEN tries.ends_at <= %(now)s THEN 1 ELSE least(tries.try_count + 1, 1000000) END
RETURNING try_count, ends_at
"""
FORGET_NAME = "DELETE FROM sign_in_tries WHERE who = %(name)s"
GIVE_BACK = "UPDATE sign_in_tries SET try_count = greatest(try_count - 1, 0) WHERE who = %(address)s"
CLEAR = "DELETE FROM sign_in_tries WHERE ends_at < %(before)s"


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """An attempt to sign in; names and addresses are stored as hashes, since people type passwords anywhere."""

    name: str
    address: str

    @classmethod
    def of(cls, request: HttpRequest, user_name: str) -> SignInAttempt:
        """Return the attempt of this request with this user name."""
        return cls(_hash("name", user_name.strip().casefold()), _hash("address", client_address(request)))

    def count(self, now: datetime) -> timedelta | None:
        """Count it. Return None if it may proceed, else how long to wait before the next one."""
        waits = [
            ends_at - now
            for who, most in ((self.name, ATTEMPTS_PER_NAME), (self.address, ATTEMPTS_PER_ADDRESS))
            for tries, ends_at in [_counted(who, now)]
            if tries > most
        ]
        return max(waits, default=None)

    def succeeded(self, now: datetime) -> None:
        """Forget the attempts with this name, and delete expired ones."""
        with connection.cursor() as cursor:
            cursor.execute(FORGET_NAME, {"name": self.name})
            cursor.execute(GIVE_BACK, {"address": self.address})
            cursor.execute(CLEAR, {"before": now - WINDOW})


def client_address(request: HttpRequest) -> str:
    """Return the client's address, as the PROXY_COUNT proxies in front report it."""
    address: str = request.META.get("REMOTE_ADDR", "")
    if settings.PROXY_COUNT:
        forwarded = [each.strip() for each in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if each.strip()]
        address = forwarded[-settings.PROXY_COUNT] if len(forwarded) >= settings.PROXY_COUNT else address
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, _IPV6_PREFIX), strict=False)) if parsed.version == 6 else address


def _counted(who: str, now: datetime) -> tuple[int, datetime]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"who": who, "now": now, "ends_at": now + WINDOW})
        tries, ends_at = cursor.fetchone()
    return tries, ends_at


def _hash(kind: str, text: str) -> str:
    return sha256(f"{kind}|{text}".encode("utf-8", "replace")).hexdigest()
