"""API tokens: created once, shown once, stored as keyed hashes.

A token is 32 random bytes, so an unsalted keyed hash (HMAC-SHA256 with a key derived from SECRET_KEY) is sufficient and
allows an indexed lookup. The database reveals no token, and nobody can forge a row for one without the key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import OuterRef, Q, QuerySet
from django.db.models.signals import m2m_changed, pre_delete
from django.dispatch import receiver
from django.utils import timezone

from customers.models import ApiToken, Customer, Membership, StorageUnit

TOKEN_MARK = "tms_"  # noqa: S105 - lets secret scanners recognise a token
PREFIX_LENGTH = 12
_WELL_KNOWN = re.compile(r"(read|write|admin)_[A-J]_[0-9]{2}_(admin_)?token_2025")


# A token created with another one is revoked with it, and so on.
REVOKE = """
WITH RECURSIVE revoked (id) AS (
    SELECT unnest(%(token_ids)s::int[])
    UNION SELECT token.id FROM api_token AS token JOIN revoked ON token.created_by_token_id = revoked.id
)
UPDATE api_token SET revoked_at = %(now)s WHERE id IN (SELECT id FROM revoked) AND revoked_at IS NULL
"""


def new_token_text() -> str:
    """Return a token of 256 random bits behind the project's prefix."""
    return TOKEN_MARK + secrets.token_urlsafe(32)


def hash_token(text: str, *, key: str | None = None) -> str:
    """Return the keyed hash that is stored for the token `text`: 64 hexadecimal digits."""
    return hmac.digest(_derived(key or settings.SECRET_KEY), text.encode(), "sha256").hex()


@lru_cache
def _derived(key: str) -> bytes:
    return hashlib.sha256(b"api token|" + key.encode()).digest()


def is_demo_token(text: str) -> bool:
    """Return whether it is one of the public tokens in the demo's documentation."""
    return _WELL_KNOWN.fullmatch(text) is not None


def possible_hashes(text: str) -> list[str]:
    """Return the hashes under which `text` may be stored: with the current key, and with those it replaced."""
    return [hash_token(text, key=key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


@transaction.atomic
def create_token(
    customer: Customer,
    token_name: str,
    permissions: Iterable[str],
    *,
    units: Iterable[StorageUnit] = (),
    source_public_id: UUID | None = None,
    rate_limit_per_hour: int | None = None,
    expires_at: datetime | None = None,
    created_by: User | None = None,
    created_by_token: ApiToken | None = None,
    text: str | None = None,
) -> tuple[ApiToken, str]:
    """Create a token; return its row and its text, which is not stored.

    With `source_public_id` it may only push to that source. `text` is given only for the demo's well-known tokens.
    Raises ValidationError for a given text outside the demo, for unknown permissions and for units of another customer.
    """
    if text is not None and not settings.DEMO:
        raise ValidationError("The text of a token is generated; only the demo has predefined tokens.")
    text = text or new_token_text()
    token = ApiToken(
        customer=customer,
        token_name=token_name,
        prefix=text[:PREFIX_LENGTH],
        token_hash=hash_token(text),
        permissions=sorted(set(permissions)),
        source_public_id=source_public_id,
        rate_limit_per_hour=rate_limit_per_hour,
        expires_at=expires_at,
        created_by=created_by,
        created_by_token=created_by_token,
    )
    token.full_clean(exclude=["token_hash", "prefix"])
    units = list(units)
    _refuse_foreign_units(customer, units)
    token.save()
    token.accessible_units.set(units)
    token.refresh_from_db(fields=["is_limited_to_units"])
    return token, text


def foreign_units(customer: Customer, units: Iterable[StorageUnit]) -> list[str]:
    """Return the codes of those units that belong to another customer."""
    return [unit.unit_code for unit in units if unit.facility.customer_id != customer.pk]


def _refuse_foreign_units(customer: Customer, units: list[StorageUnit]) -> None:
    foreign = foreign_units(customer, units)
    if foreign:
        raise ValidationError(f"These units are not {customer.customer_code}'s: {', '.join(foreign)}.")


def with_details(tokens: QuerySet[ApiToken], now: datetime) -> QuerySet[Any]:
    """Annotate tokens for lists with `unit_ids`, the ids of their units, and `is_usable` at `now`."""
    listed = ApiToken.accessible_units.through.objects.filter(apitoken=OuterRef("pk")).order_by("storageunit")
    return tokens.annotate(
        unit_ids=ArraySubquery(listed.values("storageunit__public_id")),
        is_usable=Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now)),
    )


def revoke(tokens: QuerySet[ApiToken]) -> int:
    """Revoke these tokens, and those created with them; return how many were not revoked before."""
    token_ids, now = list(tokens.values_list("pk", flat=True)), timezone.now()
    count = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(REVOKE, {"token_ids": token_ids, "now": now})
        # A statement does not see what was created while it waited for a token that created it; the next one does.
        while cursor.rowcount:
            count += cursor.rowcount
            cursor.execute(REVOKE, {"token_ids": token_ids, "now": now})
    return count


@receiver(pre_delete, sender=Membership)
def revoke_tokens_of_member(instance: Membership, **_: object) -> None:
    """Revoke the customer's tokens that a person created when the membership ends."""
    revoke(ApiToken.objects.filter(created_by=instance.user_id, customer=instance.customer_id))


@receiver(pre_delete, sender=User)
def revoke_tokens_of_account(instance: User, **_: object) -> None:
    """Revoke all tokens of an account that is deleted: without it nobody's rights would cap them."""
    revoke(ApiToken.objects.filter(created_by=instance.pk))


@receiver(m2m_changed, sender=ApiToken.accessible_units.through)
def update_is_limited(instance: ApiToken, action: str, reverse: bool, **_: Any) -> None:
    """Update whether a token is limited when a person changes its units; deleting a unit does not."""
    if action in ("post_add", "post_remove", "post_clear") and not reverse:
        ApiToken.objects.filter(pk=instance.pk).update(is_limited_to_units=instance.accessible_units.exists())
