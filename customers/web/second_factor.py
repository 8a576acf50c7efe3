"""The pages of django-allauth: second factors, passkeys, and signing in through a provider.

They are for people: a token has no account. What is guessed on them counts as an attempt to sign in.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps

from allauth.account.internal.stagekit import unstash_login
from allauth.mfa.base.views import AuthenticateView
from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.utils import timezone
from typing_extensions import override

from customers.access.login_throttle import SignInAttempt
from customers.access.page_principal import refuse_unless
from customers.access.passkey_confirmation import is_readable
from customers.access.token_sessions import TokenVisitor
from customers.accounts.sign_in_events import record_second_factor_failure
from customers.web.account import too_many_requests

View = Callable[..., HttpResponseBase]
TEXT = "text/plain; charset=utf-8"


def for_people(view: View) -> View:
    """Refuse visitors who are signed in with a token, and answers that no passkey gives."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        refuse_unless(not isinstance(request.user, TokenVisitor))
        if request.method == "POST" and not _is_readable(request.POST.get("credential", "")):
            text = "The passkey's answer cannot be read, or its kind of key is not supported."
            return HttpResponseBadRequest(text, content_type=TEXT)
        return view(request, *args, **kwargs)

    return guarded


def _is_readable(text: str) -> bool:
    """Return whether django-allauth can check a passkey's answer, if there is one: it fails for some others."""
    try:
        return not text or is_readable(json.loads(text))
    except (ValueError, RecursionError):
        return False


def throttled(view: View) -> View:
    """Count what is posted as attempts with the account that is signed in, or about to be."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.method == "POST":
            wait = SignInAttempt.of(request, _user_name(request)).count(timezone.now())
            if wait is not None:
                return too_many_requests(request, wait)
        return view(request, *args, **kwargs)

    return for_people(guarded)


def _user_name(request: HttpRequest) -> str:
    if request.user.is_authenticated:
        return request.user.get_username()
    login = unstash_login(request, peek=True)
    return login.user.get_username() if login and login.user else ""


class SecondFactorView(AuthenticateView):
    """Ask for the second factor after the password."""

    @override
    def form_invalid(self, form: forms.Form) -> HttpResponse:
        user = self.stage.login.user
        if isinstance(user, User):
            record_second_factor_failure(user)
        return super().form_invalid(form)
