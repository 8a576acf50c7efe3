"""One-time links to set a password: sent to the account's own address, or handed over by the operator."""

from __future__ import annotations

import structlog
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from customers.accounts import mail


class PasswordLinkGenerator(PasswordResetTokenGenerator):
    """Tokens that end with use, with any sign-in, with a change of address, and after PASSWORD_RESET_TIMEOUT.

    The salt is the project's own, so that links which earlier versions showed to managers are no longer valid.
    """

    key_salt = "customers.accounts.password_links"


logger = structlog.get_logger(__name__)
password_link_generator = PasswordLinkGenerator()


def password_path(user: User) -> str:
    """Return the one-time path at which this person can set a password."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("password-set", args=[uid, password_link_generator.make_token(user)])


def may_create_link(operator: User | AnonymousUser, user: User) -> bool:
    """Return whether `operator` may hand over a link to this account: only a superuser for accounts of the staff."""
    is_privileged = user.is_staff or user.is_superuser
    return isinstance(operator, User) and user.is_active and (operator.is_superuser or not is_privileged)


def people_with_address(email: str) -> list[int]:
    """Return the ids of those who may set a new password by a mail to this address."""
    return list(User.objects.filter(email__iexact=email, is_active=True).values_list("pk", flat=True))


def send_password_link(user_id: int) -> None:
    """Mail a person the link to set a new password, to the address of their account."""
    user = User.objects.filter(pk=user_id, is_active=True).exclude(email="").first()
    if user is None:
        return
    try:
        mail.send(user.email, "password_link", {"user": user, "link": mail.absolute_url(None, password_path(user))})
    except mail.MailNotSent as not_sent:
        logger.warning("password link not sent", user_id=user_id, reason=str(not_sent))
