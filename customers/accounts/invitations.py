"""Invitations: the only way to become a member of a customer.

A link is sent to the invited address and to nobody else, so whoever accepts has shown that the address is theirs. The
account of a new person is created when they accept, never before: an account that nobody has used yet could be taken
over by whoever has an old link to it. What the inviting person learns is the same whether the address has an account
or not.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.signals import ModelSignal, post_save, pre_delete
from django.dispatch import receiver
from django.utils import timezone

from customers.account_models import Invitation
from customers.models import Customer, Membership

logger = structlog.get_logger(__name__)


class NotAcceptable(Exception):  # noqa: N818 - reads better where it is caught
    """The invitation cannot be accepted; the text says why, for people."""


@transaction.atomic
def invite(customer: Customer, email: str, role: str, *, by: User | None, now: datetime) -> tuple[Invitation, str]:
    """Create an invitation, or renew the open one to this address; return it with the secret of its link."""
    # Without the lock two managers who invite the same address at once would get an error.
    Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    # Locked itself, so that an answer at the same time is not overwritten.
    opened = Invitation.objects.select_for_update().filter(customer=customer, email__iexact=email, outcome="").first()
    invitation = opened or Invitation(customer=customer, email=User.objects.normalize_email(email))
    invitation.role = role
    invitation.invited_by = by
    secret = _renew(invitation, now)
    logger.info("invited", customer=customer.customer_code, invitation=invitation.pk, role=role, by=_name(by))
    return invitation, secret


@transaction.atomic
def renew(invitation: Invitation, *, by: User | None, now: datetime) -> str:
    """Replace the link of an open invitation; return the secret of the new one. Raise NotAcceptable if it has ended."""
    locked = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if locked.outcome:
        raise NotAcceptable(f"This invitation was already {locked.outcome}.")
    locked.invited_by = by
    secret = _renew(locked, now)
    invitation.refresh_from_db()
    logger.info("invitation renewed", invitation=invitation.pk, by=_name(by))
    return secret


def open_invitations(customer: Customer) -> QuerySet[Invitation]:
    """Return the invitations that were neither accepted, declined nor withdrawn, including expired ones."""
    found: QuerySet[Invitation] = Invitation.objects.filter(customer=customer, outcome="")
    return found.order_by("email")


def find(secret: str, now: datetime) -> Invitation | None:
    """Return the open invitation with this secret, None if it ended, expired or never existed."""
    found: Invitation | None = (
        Invitation.objects.filter(secret_hash=_hash(secret), customer__is_active=True)
        .select_related("customer", "invited_by")
        .first()
    )
    return found if found and found.is_open_at(now) else None


def has_account(invitation: Invitation) -> bool:
    """Return whether the invited address has an account, which only whoever has the link may learn."""
    return User.objects.filter(email__iexact=invitation.email).exists()


def refusal(invitation: Invitation, user: User) -> str:
    """Return why this account cannot accept, "" if it can."""
    if user.email.casefold() != invitation.email.casefold():
        return "This invitation is for another address than your account's. Sign in with the account of that address."
    if user.is_staff:
        return "Accounts of the operator's staff cannot become members of a customer."
    return ""


@transaction.atomic
def accept(invitation: Invitation, user: User, now: datetime) -> Membership:
    """Make the signed-in person a member; an existing membership keeps its role. Raise NotAcceptable."""
    locked = _lock_open(invitation, now)
    refused = refusal(locked, user)
    if refused:
        raise NotAcceptable(refused)
    membership, is_new = Membership.objects.get_or_create(
        user=user, customer=locked.customer, defaults={"role": locked.role}
    )
    _end(locked, Invitation.Outcome.ACCEPTED, now, accepted_by=user)
    logger.info("member added", membership=membership.pk, user_id=user.pk, role=membership.role, is_new=is_new)
    return membership


@transaction.atomic
def create_account(invitation: Invitation, *, password: str, first_name: str, last_name: str, now: datetime) -> User:
    """Create the account of the invited address and accept with it. Raise NotAcceptable, also if it has one."""
    locked = _lock_open(invitation, now)
    if has_account(locked):
        raise NotAcceptable("This address already has an account. Sign in to accept.")
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                locked.email.lower(), locked.email, password, first_name=first_name, last_name=last_name
            )
    except IntegrityError as taken:
        raise NotAcceptable("An account with this user name has another address. Ask the operator.") from taken
    accept(locked, user, now)
    return user


@transaction.atomic
def decline(invitation: Invitation, now: datetime) -> None:
    """End it at the wish of the invited person. Raise NotAcceptable if it has ended."""
    _end(_lock_open(invitation, now), Invitation.Outcome.DECLINED, now)


@transaction.atomic
def withdraw(invitation: Invitation, *, by: User | None, now: datetime) -> None:
    """End it at the wish of the customer; an invitation that has ended stays as it is."""
    locked = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if not locked.outcome:
        _end(locked, Invitation.Outcome.WITHDRAWN, now)
        logger.info("invitation withdrawn", invitation=locked.pk, by=_name(by))


@receiver(post_save, sender=Membership)
@receiver(pre_delete, sender=Membership)
def withdraw_those_of_member(instance: Membership, signal: ModelSignal, **_: object) -> None:
    """Withdraw a manager's open invitations when they cease to be one: nobody returns by having invited themselves."""
    if signal is pre_delete or instance.role != Membership.Role.MANAGER:
        _withdraw_all(Invitation.objects.filter(invited_by=instance.user_id, customer=instance.customer_id))


@receiver(post_save, sender=User)
def withdraw_those_of_deactivated(instance: User, **_: object) -> None:
    """Withdraw the open invitations of an account that is deactivated."""
    if not instance.is_active:
        _withdraw_all(Invitation.objects.filter(invited_by=instance.pk))


def _withdraw_all(found: QuerySet[Invitation]) -> None:
    found.filter(outcome="").update(outcome=Invitation.Outcome.WITHDRAWN, ended_at=timezone.now())


def _lock_open(invitation: Invitation, now: datetime) -> Invitation:
    locked: Invitation = (
        Invitation.objects.select_for_update(of=("self",)).select_related("customer").get(pk=invitation.pk)
    )
    # The link may have been replaced since the page was opened.
    if not locked.is_open_at(now) or locked.secret_hash != invitation.secret_hash:
        raise NotAcceptable("This invitation was already used, was withdrawn, or has expired.")
    return locked


def _renew(invitation: Invitation, now: datetime) -> str:
    secret = secrets.token_urlsafe(32)
    invitation.secret_hash = _hash(secret)
    invitation.expires_at = now + timedelta(seconds=settings.INVITATION_SECONDS)
    invitation.sent_at = None
    invitation.save()
    return secret


def _end(invitation: Invitation, outcome: str, now: datetime, accepted_by: User | None = None) -> None:
    invitation.outcome = outcome
    invitation.ended_at = now
    invitation.accepted_by = accepted_by
    invitation.save(update_fields=["outcome", "ended_at", "accepted_by"])


def _hash(secret: str) -> str:
    """Return the hash of a secret of 256 random bits, which needs neither salt nor key."""
    return sha256(f"invitation|{secret}".encode("utf-8", "replace")).hexdigest()


def _name(user: User | None) -> str:
    return user.get_username() if user else ""
