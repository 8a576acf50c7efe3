"""The members of a customer: inviting, changing roles, removing. A customer always keeps a manager."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from customers.models import Customer, Membership

logger = structlog.get_logger(__name__)


class LastManager(Exception):  # noqa: N818 - reads better where it is caught
    """The change would leave the customer without a manager."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """The result of an invitation; `is_new`: an account was created, whose password is to be set."""

    membership: Membership
    is_new: bool


def members_of(customer: Customer) -> QuerySet[Any]:
    """Return the customer's memberships with their people, by role and name.

    `may_have_link`: whether a manager may give the person a link to set a password. Only for an account that was never
    used, has no password, and belongs to no other customer: with a link to another account a manager could take it
    over.
    """
    elsewhere = Membership.objects.filter(user=OuterRef("user")).exclude(customer=customer)
    is_unused = Q(user__last_login=None, user__is_staff=False, user__password__startswith=UNUSABLE_PASSWORD_PREFIX)
    people = Membership.objects.filter(customer=customer).select_related("user")
    annotated: QuerySet[Any] = people.annotate(may_have_link=is_unused & ~Exists(elsewhere))
    return annotated.order_by("role", "user__username")


@transaction.atomic
def invite(customer: Customer, email: str, role: str, *, by: str) -> Invitation:
    """Add a member, creating an account if needed.

    Raise ValidationError with a message for people if that is impossible.
    """
    known = list(User.objects.filter(email__iexact=email)[:2])
    if len(known) > 1:
        raise ValidationError("Several accounts have this address. Ask the operator to add the right one.")
    user = known[0] if known else _new_user(email)
    if not user.is_active:
        raise ValidationError("The account with this address is deactivated. Ask the operator.")
    membership, is_made = Membership.objects.get_or_create(user=user, customer=customer, defaults={"role": role})
    if not is_made:
        raise ValidationError("This person is already a member. Change the role in the list.")
    logger.info("member added", customer=customer.customer_code, user=user.username, role=role, by=by)
    return Invitation(membership, is_new=not known)


def _new_user(email: str) -> User:
    try:
        with transaction.atomic():
            return User.objects.create_user(email.lower(), email)
    except IntegrityError as taken:
        raise ValidationError("An account with this name has another address. Ask the operator.") from taken


def password_path(user: User) -> str:
    """Return the one-time path at which this person can set a password within PASSWORD_RESET_TIMEOUT."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("password-set", args=[uid, default_token_generator.make_token(user)])


@transaction.atomic
def change_role(membership: Membership, role: str, *, by: str) -> None:
    """Change the member's role. Raise LastManager."""
    _lock_and_check(membership, stays_manager=role == Membership.Role.MANAGER)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    logger.info("role changed", membership=membership.pk, role=role, by=by)


@transaction.atomic
def remove(membership: Membership, *, by: str) -> None:
    """Remove the member; the account remains. Raise LastManager."""
    _lock_and_check(membership, stays_manager=False)
    Membership.objects.filter(pk=membership.pk).delete()
    logger.info("member removed", membership=membership.pk, user_id=membership.user_id, by=by)


def _lock_and_check(membership: Membership, *, stays_manager: bool) -> None:
    """Lock all members, since two managers may demote each other, and raise LastManager if nobody else manages."""
    members = Membership.objects.filter(customer_id=membership.customer_id).select_related("user")
    locked = list(members.select_for_update(of=("self",)).order_by("pk"))
    managers = {each.pk for each in locked if each.role == Membership.Role.MANAGER and each.user.is_active}
    if not stays_manager and managers == {membership.pk}:
        raise LastManager("A customer needs a manager. Make someone else a manager first.")
