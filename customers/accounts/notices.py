"""Mail about what happened to a person's account: a new device, password, second factor or token."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from celery import current_app
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from customers.accounts import mail

logger = structlog.get_logger(__name__)

TASK = "customers.tasks.send_account_notice"
SUBJECTS = {
    "new_device": "New sign-in to your account",
    "password_changed": "Your password was changed",
    "second_factor": "Your second factor was changed",
    "token_created": "An API token was created",
}


def notify(user: User, kind: str, **details: str) -> None:
    """Mail the person once the current transaction is committed. An outage of the broker must not stop them."""
    if not user.email or not mail.has_mail_server():
        return
    known = {**details, "at": f"{timezone.now():%Y-%m-%d %H:%M} UTC"}
    transaction.on_commit(lambda: _enqueue(user.pk, kind, known))


def send_notice(user_id: int, kind: str, details: Mapping[str, str]) -> None:
    """Send the mail, to the present address of the account."""
    user = User.objects.filter(pk=user_id).exclude(email="").first()
    if user is None:
        return
    try:
        mail.send(user.email, "notice", {"user": user, "subject": SUBJECTS[kind], "kind": kind, **details})
    except mail.MailNotSent as not_sent:
        logger.warning("notice not sent", user_id=user_id, kind=kind, reason=str(not_sent))


def _enqueue(user_id: int, kind: str, details: dict[str, str]) -> None:
    try:
        # By its name: the task imports this module.
        current_app.send_task(TASK, (user_id, kind, details))
    except OperationalError as error:
        logger.warning("notice not sent", user_id=user_id, kind=kind, reason=str(error))
