"""Signing people out who have done nothing for SESSION_IDLE_SECONDS, and in any case after SESSION_SECONDS.

The session holds when the person was last active, to a few minutes, so that not every page causes a write. Parts of
pages that refresh themselves, and their data over the API, are no activity: otherwise an abandoned browser would stay
signed in. Sessions of API tokens, such as of wall displays, end with their token only.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

SEEN_AT_KEY = "seen_at"
# Every write of the session lets its row and its cookie expire later.
BEGAN_AT_KEY = "began_at"
MAX_PRECISION_SECONDS = 300


def active_person(request: HttpRequest, user: User | AnonymousUser) -> User | AnonymousUser:
    """Return the session's person and note that they are active, or end the session: idle for too long, or too old."""
    if not user.is_authenticated:
        return user
    now = timezone.now().timestamp()
    # A session of an earlier version has no times yet.
    seen_at = request.session.get(SEEN_AT_KEY, 0.0)
    idle_seconds = now - seen_at if seen_at else MAX_PRECISION_SECONDS
    age_seconds = now - request.session.get(BEGAN_AT_KEY, now)
    if (seen_at and idle_seconds > settings.SESSION_IDLE_SECONDS) or age_seconds > settings.SESSION_COOKIE_AGE:
        request.session.flush()
        return AnonymousUser()
    precision_seconds = min(MAX_PRECISION_SECONDS, settings.SESSION_IDLE_SECONDS / 10)
    if idle_seconds >= precision_seconds and is_activity(request):
        request.session[SEEN_AT_KEY] = now
        request.session.setdefault(BEGAN_AT_KEY, now)
    return user


def is_activity(request: HttpRequest) -> bool:
    """Return whether a person caused this request, rather than a page that refreshes itself."""
    if request.method not in ("GET", "HEAD"):
        return True
    is_refresh = request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"
    return not is_refresh and not request.path.startswith("/api/")


@receiver(user_logged_in)
def begin(request: HttpRequest | None, **_: object) -> None:
    """Note the first activity of a new session."""
    if request is not None:
        request.session[SEEN_AT_KEY] = request.session[BEGAN_AT_KEY] = timezone.now().timestamp()
