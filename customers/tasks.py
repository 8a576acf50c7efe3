"""The tasks of accounts: mail that must not delay a page, nor reveal by its delay who has an account."""

from __future__ import annotations

from celery import shared_task

from customers.accounts.notices import send_notice
from customers.accounts.password_links import send_password_link


@shared_task
def send_password_links(user_ids: list[int]) -> None:
    """Mail each of these people a link to set a new password."""
    for user_id in user_ids:
        send_password_link(user_id)


@shared_task
def send_account_notice(user_id: int, kind: str, details: dict[str, str]) -> None:
    """Mail a person what happened to their account."""
    send_notice(user_id, kind, details)
