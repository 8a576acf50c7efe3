"""Record sign-ins in the audit trail, of every kind: people on pages, tokens on pages, and failed attempts."""

from __future__ import annotations

from allauth.account.signals import authentication_step_completed
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from audit.context import Actor
from audit.events import record_event
from audit.models import AuditEntry
from customers.access.login_throttle import SignInAttempt
from customers.accounts import notices
from customers.models import ApiToken

Action = AuditEntry.Action
NOBODY = Actor(AuditEntry.ActorKind.ANONYMOUS)


@receiver(user_logged_in)
def record_sign_in(request: HttpRequest | None, user: User, **_: object) -> None:
    """Record that a person signed in."""
    record_event(Action.SIGNED_IN, person_id=user.pk, actor=_person(user))


@receiver(user_logged_out)
def record_sign_out(request: HttpRequest | None, user: User | None, **_: object) -> None:
    """Record that a person signed out."""
    if isinstance(user, User):
        record_event(Action.SIGNED_OUT, person_id=user.pk, actor=_person(user))


@receiver(user_login_failed)
def record_failure(credentials: dict[str, object], **_: object) -> None:
    """Record a failed attempt, with the account if there is one: what is typed as a name may be a password."""
    user = User.objects.filter(username=credentials.get("username") or "").first()
    record_event(Action.SIGN_IN_FAILED, person_id=user.pk if user else None, actor=NOBODY)


@receiver(authentication_step_completed)
def reset_attempts(request: HttpRequest, user: User, reauthenticated: bool = False, **_: object) -> None:
    """Forget failed attempts once a signed-in person has confirmed who they are."""
    if reauthenticated:
        SignInAttempt.of(request, user.get_username()).succeeded(timezone.now())


def record_token_sign_in(token: ApiToken) -> None:
    """Record that somebody signed in to the pages with a customer's token."""
    actor = Actor(AuditEntry.ActorKind.TOKEN, token.token_name, token.pk)
    record_event(Action.SIGNED_IN, customer_id=token.customer_id, actor=actor)


def record_second_factor_failure(user: User) -> None:
    """Record a wrong second factor after the right password."""
    record_event(Action.SIGN_IN_FAILED, person_id=user.pk, details={"step": "second factor"}, actor=NOBODY)


@receiver(post_save, sender=ApiToken)
def tell_of_new_token(instance: ApiToken, created: bool, **_: object) -> None:
    """Mail the person with whose account a token was created."""
    if created and instance.created_by is not None:
        customer = str(instance.customer)
        notices.notify(instance.created_by, "token_created", token_name=instance.token_name, customer=customer)


def _person(user: User) -> Actor:
    return Actor(AuditEntry.ActorKind.PERSON, user.get_username(), user.pk, user.get_full_name())
