"""Confirm that the person who is signed in is at the keyboard, by their password, before something is signed.

A session lasts for hours and may be left open on a screen that others can reach. A signature needs more than that.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from customers.access.login_throttle import SignInAttempt


class NotConfirmed(Exception):  # noqa: N818  reads better where it is caught
    """The password could not be checked or is wrong; the message says what to do."""


def confirm_password(request: HttpRequest, user: User, password: str) -> None:
    """Check the password of the person who is signed in. Raise NotConfirmed.

    Attempts count as attempts to sign in: whoever finds an open session gets no more of them than at the entrance, and
    a person who mistypes is not locked out for longer.
    """
    if not user.has_usable_password():
        raise NotConfirmed("Your account has no password. Set one on your account page to sign.")
    now = timezone.now()
    attempt = SignInAttempt.of(request, user.get_username())
    wait = attempt.count(now)
    if wait is not None:
        raise NotConfirmed(f"Too many attempts. Try again in {_minutes(wait)} min.")
    if not user.check_password(password):
        raise NotConfirmed("The password is wrong.")
    attempt.succeeded(now)


def _minutes(wait: timedelta) -> int:
    return int(wait.total_seconds() // 60) + 1
