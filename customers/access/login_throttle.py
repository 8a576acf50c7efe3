"""Throttling of attempts to sign in, the same for every entrance.

An attempt is counted by its account, against guessing a password, and by its address, against trying many accounts. It
is counted before it is checked, in PostgreSQL with one statement: for any number of processes and concurrent attempts,
no more than the limit proceed. A success resets the count.

From an address from which the account was signed in to before, attempts have a count of their own. So other people's
attempts from elsewhere do not lock out the owner, and whoever shares the owner's address gets no more attempts than
anybody else.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from rest_framework.request import Request

WINDOW = timedelta(minutes=15)
ATTEMPTS_PER_ACCOUNT = 10
# A whole company may sign in from one address.
ATTEMPTS_PER_ADDRESS = 100
# Mail that anybody can cause: to one recipient, and by one person or visitor's address.
MAILS_PER_RECIPIENT = 5
MAILS_PER_SENDER = 50
# An address is forgotten when it was not used for this long.
KNOWN_FOR = timedelta(days=90)
# One household or office has a whole /64 of addresses.
_IPV6_PREFIX = 64

COUNT = """
INSERT INTO sign_in_tries AS tries (who, ends_at, try_count) VALUES (%(who)s, %(ends_at)s, 1)
ON CONFLICT (who) DO UPDATE SET
    ends_at = CASE WHEN tries.ends_at <= %(now)s THEN excluded.ends_at ELSE tries.ends_at END,
    try_count = CASE WHEN tries.ends_at <= %(now)s THEN 1 ELSE least(tries.try_count + 1, 1000000) END
RETURNING try_count, ends_at
"""
FORGET = "DELETE FROM sign_in_tries WHERE who = %(who)s"
GIVE_BACK = "UPDATE sign_in_tries SET try_count = greatest(try_count - 1, 0) WHERE who = %(address)s"
CLEAR = "DELETE FROM sign_in_tries WHERE ends_at < %(before)s"
IS_KNOWN = "SELECT 1 FROM known_address WHERE account = %(account)s AND address = %(address)s AND used_at > %(since)s"
REMEMBER = """
INSERT INTO known_address (account, address, used_at) VALUES (%(account)s, %(address)s, %(now)s)
ON CONFLICT (account, address) DO UPDATE SET used_at = excluded.used_at
"""
FORGET_UNUSED = "DELETE FROM known_address WHERE used_at < %(since)s"


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """An attempt to sign in; accounts and addresses are stored as hashes, since people type passwords anywhere."""

    account: str
    address: str

    @classmethod
    def of(cls, request: HttpRequest, user_name: str) -> SignInAttempt:
        """Return the attempt of this request with this user name, or customer code."""
        return cls(_hash("name", account_key(user_name)), _hash("address", client_address(request)))

    def count(self, now: datetime) -> timedelta | None:
        """Count it. Return None if it may proceed, else how long to wait before the next one."""
        if self._is_from_known_address(now):
            return count_event(self._pair, ATTEMPTS_PER_ACCOUNT, now)
        waits = [
            count_event(self.account, ATTEMPTS_PER_ACCOUNT, now),
            count_event(self.address, ATTEMPTS_PER_ADDRESS, now),
        ]
        return max((wait for wait in waits if wait is not None), default=None)

    def succeeded(self, now: datetime) -> None:
        """Remember the address, forget the attempts, and delete what has expired.

        From a known address the attempts from elsewhere are kept: they were somebody else's.
        """
        is_known = self._is_from_known_address(now)
        with connection.cursor() as cursor:
            cursor.execute(FORGET, {"who": self._pair if is_known else self.account})
            if not is_known:
                cursor.execute(GIVE_BACK, {"address": self.address})
            cursor.execute(REMEMBER, {"account": self.account, "address": self.address, "now": now})
            cursor.execute(CLEAR, {"before": now - WINDOW})
            cursor.execute(FORGET_UNUSED, {"since": now - KNOWN_FOR})

    @property
    def _pair(self) -> str:
        return _hash("known", f"{self.account}|{self.address}")

    def _is_from_known_address(self, now: datetime) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(IS_KNOWN, {"account": self.account, "address": self.address, "since": now - KNOWN_FOR})
            return cursor.fetchone() is not None


def account_key(user_name: str) -> str:
    """Return what identifies the account of a typed name.

    The sign-in form looks names up in their NFKC form, in which full-width letters are plain ones; names that differ in
    capitals only share their attempts, too.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", user_name).strip().casefold())


def count_for(kind: str, key: str, limit: int, now: datetime) -> timedelta | None:
    """Count another kind of event by a key of its own. Return None up to `limit` a window, else how long to wait."""
    return count_event(_hash(kind, key), limit, now)


def count_mail(recipient: str, sender: str, now: datetime) -> timedelta | None:
    """Count a mail to `recipient` that `sender` causes. Return None if it may be sent, else how long to wait."""
    waits = [
        count_for("mail to", account_key(recipient), MAILS_PER_RECIPIENT, now),
        count_for("mail by", sender, MAILS_PER_SENDER, now),
    ]
    return max((wait for wait in waits if wait is not None), default=None)


def count_event(who: str, limit: int, now: datetime) -> timedelta | None:
    """Count an event of `who`, a hash. Return None up to `limit` a window, else how long to wait."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"who": who, "now": now, "ends_at": now + WINDOW})
        tries, ends_at = cursor.fetchone()
    return ends_at - now if tries > limit else None


def client_address(request: HttpRequest | Request) -> str:
    """Return the client's address; of IPv6 the network, since one client has all of its addresses."""
    address = reported_address(request)
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, _IPV6_PREFIX), strict=False)) if parsed.version == 6 else address


def reported_address(request: HttpRequest | Request) -> str:
    """Return the client's address, as the PROXY_COUNT proxies in front report it."""
    address: str = request.META.get("REMOTE_ADDR", "")
    if settings.PROXY_COUNT:
        forwarded = [each.strip() for each in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if each.strip()]
        address = forwarded[-settings.PROXY_COUNT] if len(forwarded) >= settings.PROXY_COUNT else address
    # How a proxy that listens on IPv6 names its IPv4 clients, who would all be in one network.
    return address.removeprefix("::ffff:") if "." in address else address


def _hash(kind: str, text: str) -> str:
    return sha256(f"{kind}|{text}".encode("utf-8", "replace")).hexdigest()
