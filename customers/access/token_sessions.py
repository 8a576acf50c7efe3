"""Sessions of API tokens: signing in with a customer code and a token instead of a name and a password.

Such a session has no account: it has the token's scope and permissions, and ends when the token is revoked or expires,
or its customer becomes inactive. The token's hourly request limit is for programs and does not count pages.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from core.web.pages import redirect_whole_page
from customers.access.actions import Permission
from customers.access.idle_sessions import active_person
from customers.access.principal import Principal, Rights
from customers.access.submissions import form_page
from customers.access.tokens import is_demo_token, possible_hashes
from customers.models import ApiToken

TOKEN_KEY = "api_token_id"  # noqa: S105  where the session keeps the token's id
RENEWED_AT_KEY = "renewed_at"
SESSION_ENDED = "You are no longer signed in. Nothing was saved: sign in, then send the form again."
# So that not every page causes a write.
MAX_PRECISION_SECONDS = 86_400


class TokenVisitor(AnonymousUser):
    """A visitor signed in with a token: no account, never staff, with the rights of `principal`."""

    is_active = True  # type: ignore[assignment]  # typed as always False for a visitor

    def __init__(self, token: ApiToken, principal: Principal) -> None:
        self.token = token
        self.principal = principal

    def __str__(self) -> str:
        return self.get_username()

    def get_username(self) -> str:
        """Return the customer's code and the token's name."""
        return f"{self.token.customer.customer_code} · {self.token.token_name}"

    @property
    def is_anonymous(self) -> bool:  # type: ignore[override]  # typed as always True
        """False: the token identifies the visitor."""
        return False

    @property
    def is_authenticated(self) -> bool:  # type: ignore[override]  # typed as always False
        """True: the token identifies the visitor."""
        return True


def token_for_sign_in(customer_code: str, text: str, now: datetime) -> ApiToken | None:
    """Return the customer's token with this text that may sign in, None if there is none.

    It must be usable and have `read`: `write` alone lets a program send readings, not a person view them.
    """
    if is_demo_token(text) and not settings.DEMO:
        return None
    tokens = ApiToken.objects.filter(customer__customer_code=customer_code, customer__is_active=True)
    token: ApiToken | None = tokens.filter(token_hash__in=possible_hashes(text)).first()
    return token if token and token.is_usable_at(now) and Permission.READ in _usable_permissions(token) else None


def sign_in_with(request: HttpRequest, token: ApiToken) -> None:
    """Start a session of this token under a new session key."""
    request.session.flush()
    request.session[TOKEN_KEY] = token.pk
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())


def visitor_of(request: HttpRequest, now: datetime) -> TokenVisitor | None:
    """Return the visitor signed in with a token, None for others. End a session whose token is no longer valid."""
    token_id = request.session.get(TOKEN_KEY)
    if token_id is None or SESSION_KEY in request.session:
        return None
    tokens = ApiToken.objects.select_related("customer", "created_by").filter(customer__is_active=True)
    token = tokens.filter(pk=token_id).first()
    if token is None or not token.is_usable_at(now):
        request.session.flush()
        return None
    principal = _principal_of(token)
    if principal.rights is not None and principal.rights.is_none:
        request.session.flush()
        return None
    _renew(request, now)
    return TokenVisitor(token, principal)


def _renew(request: HttpRequest, now: datetime) -> None:
    """Let the session in use begin its lifetime of SESSION_SECONDS again: nobody signs a wall display in every week."""
    precision_seconds = min(MAX_PRECISION_SECONDS, settings.SESSION_COOKIE_AGE / 10)
    if now.timestamp() - request.session.get(RENEWED_AT_KEY, 0.0) >= precision_seconds:
        request.session[RENEWED_AT_KEY] = now.timestamp()


class TokenSessionMiddleware:
    """Replace the anonymous user by the token's visitor. Must follow Django's AuthenticationMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Resolve the visitor lazily, when a view needs the user."""
        # Looked up only if the request has a session, and only when a view needs the user.
        if request.session.session_key is not None:
            user = request.user
            visitor = SimpleLazyObject(lambda: visitor_of(request, timezone.now()) or active_person(request, user))
            request.user = visitor  # type: ignore[assignment]  # stands for the user that it looks up
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., object], args: object, kwargs: object
    ) -> HttpResponse | None:
        """Refuse a page's form after the session has ended; signing in leads back to the page with the form.

        The address of the form itself may accept nothing but POST.
        """
        methods = getattr(view, "needs", {})
        if request.method != "POST" or "POST" not in methods or request.user.is_authenticated:
            return None
        messages.warning(request, SESSION_ENDED)
        back = form_page(request) or (request.get_full_path() if "GET" in methods else reverse("overview"))
        return redirect_whole_page(request, f"{reverse('login')}?{urlencode({'next': back})}")


def _usable_permissions(token: ApiToken) -> frozenset[Permission]:
    """Return the token's permissions that the person who created it still has."""
    principal = _principal_of(token)
    return principal.permissions & principal.grantable


def _principal_of(token: ApiToken) -> Principal:
    unit_ids = list(token.accessible_units.values_list("pk", flat=True)) if token.is_limited_to_units else None
    creator = None if token.created_by is None else Rights.of_creator(token.created_by, token.customer_id)
    return Principal.of_token(token.pk, token.customer_id, token.permissions, unit_ids, creator, token.source_public_id)
