"""A person's sessions on all devices: listing and ending them."""

from __future__ import annotations

from allauth.account.signals import password_changed
from allauth.mfa.signals import authenticator_added
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

__all__ = ["end_other_sessions", "end_session", "session_key_changed", "sessions_of"]


def sessions_of(user: User) -> list[UserSession]:
    """Return the person's sessions, newest first, without those that have ended."""
    return sorted(UserSession.objects.purge_and_list(user), key=lambda each: each.created_at, reverse=True)


def end_session(user: User, session_id: int) -> bool:
    """End one session of the person; return whether there was one."""
    session = UserSession.objects.filter(user=user, pk=session_id).first()
    if session is None:
        return False
    session.end()
    return True


def end_other_sessions(request: HttpRequest, user: User) -> None:
    """End the person's sessions on all other devices."""
    for session in UserSession.objects.filter(user=user).exclude(session_key=request.session.session_key):
        session.end()


def session_key_changed(request: HttpRequest, user: User) -> None:
    """List this session under its new key: a new password gives the session another one and ends all others."""
    password_changed.send(sender=User, request=request, user=user)


@receiver(authenticator_added)
def end_sessions_without_second_factor(request: HttpRequest, user: User, **_: object) -> None:
    """End the sessions on other devices, which began without the new second factor."""
    end_other_sessions(request, user)


@receiver(post_save, sender=User)
def end_sessions_of_deactivated(instance: User, **_: object) -> None:
    """End the sessions of a deactivated account, which would go on when it is activated again."""
    if not instance.is_active:
        for session in UserSession.objects.filter(user=instance):
            session.end()
