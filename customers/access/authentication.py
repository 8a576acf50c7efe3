"""Authentication of requests: a bearer token, or the signed-in session of the browsable API and the pages.

A token costs one indexed query, two if the person who created it is staff. Its use is written only when necessary:
the count for tokens with a limit, the time of the last use at most once a minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.utils import timezone
from rest_framework import authentication
from rest_framework.exceptions import APIException, AuthenticationFailed, Throttled
from rest_framework.request import Request
from typing_extensions import override

from core.db.prepared import Prepared
from customers.access import actions
from customers.access.login_throttle import ATTEMPTS_PER_ADDRESS, client_address, count_for
from customers.access.page_principal import page_principal
from customers.access.principal import Principal, Rights
from customers.access.tokens import is_demo_token, possible_hashes

KEYWORDS = ("bearer", "token")
HOUR = timedelta(hours=1)
LAST_USE_IS_WRITTEN_AFTER = timedelta(minutes=1)

# Raw SQL because it precedes every request, and compiling it with the ORM costs more than running it. The units are
# null if the token is not limited to any. The rights of the person who created it are read each time, because they may
# have changed: the role, and whether Django's model permissions count as well, which few tokens need.
FIND_PRINCIPAL = Prepared("""
SELECT token.id, token.customer_id, token.permissions, token.rate_limit_per_hour, token.expires_at, token.revoked_at,
    token.last_used_at, token.source_public_id, customer.is_active,
    CASE WHEN token.is_limited_to_units
        THEN ARRAY(SELECT storageunit_id FROM api_token_accessible_units WHERE apitoken_id = token.id) END,
    token.created_by_id, creator.is_active, creator.is_active AND creator.is_staff AND creator.is_superuser,
    membership.role, creator.is_active AND creator.is_staff AND NOT creator.is_superuser
FROM api_token AS token JOIN customer ON customer.id = token.customer_id
    LEFT JOIN auth_user AS creator ON creator.id = token.created_by_id
    LEFT JOIN membership ON membership.user_id = creator.id AND membership.customer_id = token.customer_id
WHERE token.token_hash = ANY(%s)
""")
# Apart from the above: opening its five tables took a third of the time of every request's first query.
FIND_MODEL_PERMISSIONS = Prepared("""
SELECT type.app_label || '.' || permission.codename
FROM auth_permission AS permission JOIN django_content_type AS type ON type.id = permission.content_type_id
WHERE permission.id IN (
    SELECT permission_id FROM auth_user_user_permissions WHERE user_id = %(user_id)s
    UNION ALL
    SELECT permission_id FROM auth_group_permissions JOIN auth_user_groups USING (group_id)
    WHERE user_id = %(user_id)s
)
""")
# The hour is passed in and never decreases: two machines whose clocks differ continue counting in the later hour. No
# row is returned once the limit is reached.
COUNT_USE = """
INSERT INTO token_use AS used (token_id, hour, request_count) VALUES (%(token_id)s, %(hour)s, 1)
ON CONFLICT (token_id) DO UPDATE SET
    hour = greatest(used.hour, excluded.hour),
    request_count = CASE WHEN excluded.hour > used.hour THEN 1 ELSE used.request_count + 1 END
WHERE excluded.hour > used.hour OR used.request_count < %(limit)s
RETURNING request_count
"""
WRITE_LAST_USE = """
UPDATE api_token SET last_used_at = %(now)s
WHERE id = %(token_id)s AND (last_used_at IS NULL OR last_used_at < %(before)s)
"""


class UnknownToken(AuthenticationFailed):
    """No token has this text."""

    default_detail = "The token is not known."


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <token>` or `Token <token>`. A database outage is not reported as an invalid token."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Principal] | None:
        """Return the principal, None without a token. Raise AuthenticationFailed (401) or Throttled (429)."""
        keyword, _, text = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if keyword.lower() not in KEYWORDS:
            return None
        now = timezone.now()
        try:
            return AnonymousUser(), token_principal(text.strip(), now)
        except UnknownToken:
            _count_guess(request, now)
            raise

    @override
    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The signed-in session, with CSRF protection."""

    def authenticate(self, request: Request) -> Any:
        """Return the user with their principal, None if nobody is signed in."""
        authenticated = super().authenticate(request)
        return authenticated and (authenticated[0], page_principal(request._request))


def token_principal(text: str, now: datetime) -> Principal:
    """Return the principal of the token `text` and count its use. Raise AuthenticationFailed or Throttled."""
    if is_demo_token(text) and not settings.DEMO:
        raise AuthenticationFailed("The demo's tokens are not valid outside the demo.")
    rows = FIND_PRINCIPAL.rows([possible_hashes(text)])
    if not rows:
        raise UnknownToken
    token_id, customer_id, permissions, limit, expires_at, revoked_at, last_used_at, source_id, *rest = rows[0]
    is_active, unit_ids, *by = rest
    creator = _rights_of_creator(customer_id, *by)
    if revoked_at is not None:
        raise AuthenticationFailed("The token has been revoked.")
    if expires_at is not None and now >= expires_at:
        raise AuthenticationFailed("The token has expired.")
    if not is_active:
        raise AuthenticationFailed("The customer is not active.")
    if creator is not None and creator.is_none:
        raise AuthenticationFailed("The person who created the token has no access any more.")
    if limit is not None:
        _count_use(token_id, limit, now)
    if last_used_at is None or now - last_used_at > LAST_USE_IS_WRITTEN_AFTER:
        _write_last_use(token_id, now)
    return Principal.of_token(token_id, customer_id, permissions, unit_ids, creator, source_id)


def _rights_of_creator(
    customer_id: int,
    user_id: int | None,
    is_active: bool | None,
    is_superuser: bool | None,
    role: str | None,
    has_model_permissions: bool | None,
) -> Rights | None:
    """Return what the person who created a token may do for its customer, None if no account created it."""
    if user_id is None:
        return None
    roles = {customer_id: role} if role and is_active else {}
    if is_superuser:
        return Rights(roles, None)
    return Rights(roles, _model_permissions(user_id) if has_model_permissions else frozenset())


def _model_permissions(user_id: int) -> frozenset[str]:
    """Return Django's model permissions of an account, its own and those of its groups."""
    return frozenset(name for (name,) in FIND_MODEL_PERMISSIONS.rows({"user_id": user_id}))


def _count_guess(request: Request, now: datetime) -> None:
    """Count a token that does not exist by the address it came from. Raise Throttled beyond the limit.

    Valid tokens are not counted: a device with an outdated token must not stop the others at its site from storing
    readings, and nobody guesses 256 random bits.
    """
    wait = count_for("token address", client_address(request), ATTEMPTS_PER_ADDRESS, now)
    if wait is not None:
        raise Throttled(wait=wait.total_seconds(), detail="Too many unknown tokens were sent from this address.")


def _count_use(token_id: int, limit: int, now: datetime) -> None:
    """Count a request in this hour or refuse it, with one statement for all processes together."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(COUNT_USE, {"token_id": token_id, "hour": hour, "limit": limit})
        is_within = cursor.fetchone() is not None
    if not is_within:
        raise Throttled(wait=(hour + HOUR - now).total_seconds(), detail=f"The limit is {limit:,} requests an hour.")


def _write_last_use(token_id: int, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(WRITE_LAST_USE, {"token_id": token_id, "now": now, "before": now - LAST_USE_IS_WRITTEN_AFTER})


def is_operator(request: Request) -> bool:
    """Return whether the request is of staff who may view the system, or was sent with such a token.

    For views without authentication, which tell the operator more than others.
    """
    # The REST framework has replaced the user of such a view.
    user = get_user(request._request)
    if isinstance(user, User):
        return not Principal.of_user(user).scope_of(actions.VIEW_SYSTEM).is_empty
    try:
        authenticated = TokenAuthentication().authenticate(request)
    except APIException:
        return False  # the view requires no token
    return authenticated is not None and not authenticated[1].scope_of(actions.VIEW_SYSTEM).is_empty
