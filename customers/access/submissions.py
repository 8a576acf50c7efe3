"""Submissions that count once: a second click, or a request repeated after a lost response, creates nothing.

A form carries a key in a hidden field, a request of the API in the header `Idempotency-Key`. The key is stored in the
transaction of what it creates, so a failed attempt can be repeated, and of two at the same time the second one waits.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from core.api.errors import Conflict
from customers.access.principal import principal_of

FIELD = "submission"
HEADER = "Idempotency-Key"
SUBMITTED_TWICE = "This form was submitted twice, and carried out once."
MAX_KEY_LENGTH = 200
_NAMESPACE = uuid.UUID("5d2b1f0c-6b0e-4d6c-9a3f-3f1f6a7d2c11")

# Keys are kept for a day; nobody repeats a submission later. One that has expired and is still there is taken over.
CLAIM = """
WITH expired AS (
    DELETE FROM submission WHERE key IN (
        SELECT key FROM submission WHERE submitted_at < now() - interval '1 day' LIMIT 100 FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO submission AS known (key, submitted_at) VALUES (%s, now())
ON CONFLICT (key) DO UPDATE SET submitted_at = excluded.submitted_at WHERE known.submitted_at < now() - interval '1 day'
"""


def new_key() -> str:
    """Return the key of a form that is shown."""
    return str(uuid.uuid4())


def form_page(request: HttpRequest) -> str:
    """Return the address of the page with the form that was sent; "" if the browser names none of this site."""
    referer = request.headers.get("Referer", "")
    is_own = url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure())
    return referer if is_own else ""


class SubmittedBefore(Exception):  # noqa: N818  reads better where it is caught
    """The form was carried out already."""


def claim_form(request: HttpRequest) -> None:
    """Note that this valid form is carried out now, in the transaction of what it changes. Raise SubmittedBefore.

    A form without a key is carried out each time.
    """
    try:
        key = uuid.UUID(request.POST.get(FIELD, ""))
    except ValueError:
        return
    if not claim_key(key):
        raise SubmittedBefore


@contextmanager
def once(request: Request) -> Iterator[None]:
    """Run in a transaction, for the first request with this `Idempotency-Key` only. Raise Conflict for others."""
    text = request.headers.get(HEADER, "")
    if len(text) > MAX_KEY_LENGTH:
        raise ValidationError({"detail": f"{HEADER} must have at most {MAX_KEY_LENGTH} characters."})
    with transaction.atomic():
        if text and not claim_key(uuid.uuid5(_NAMESPACE, f"{principal_of(request).name}|{request.path}|{text}")):
            raise Conflict(f"A request with this {HEADER} was carried out already; nothing was created again.")
        yield


def claim_key(key: uuid.UUID) -> bool:
    """Note the key in the current transaction; return whether nobody did before."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [key])
        return bool(cursor.rowcount)
