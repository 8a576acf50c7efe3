"""Mail to people about their accounts, from the templates in `account/mail`."""

from __future__ import annotations

from collections.abc import Mapping
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.http import HttpRequest
from django.template.loader import render_to_string

logger = structlog.get_logger(__name__)


class MailNotSent(Exception):  # noqa: N818 - reads better where it is caught
    """The mail was not handed to the mail server; the text says why, for people."""


def has_mail_server() -> bool:
    """Return whether mail can be sent."""
    return bool(settings.EMAIL_URL)


def absolute_url(request: HttpRequest | None, path: str) -> str:
    """Return the address of a page for a mail: on SITE_URL, else on the host of the request, else the path alone."""
    if settings.SITE_URL:
        return settings.SITE_URL.rstrip("/") + path
    return request.build_absolute_uri(path) if request else path


def send(to: str, template: str, context: Mapping[str, object]) -> None:
    """Send `account/mail/<template>.txt`, whose first line is the subject. Raise MailNotSent."""
    if not has_mail_server():
        raise MailNotSent("No mail server is configured (EMAIL_URL).")
    # Plain text, which must not be escaped as HTML.
    text = render_to_string(f"account/mail/{template}.txt", {**context, "site_url": settings.SITE_URL})
    subject, _, body = text.strip().partition("\n")
    try:
        EmailMessage(" ".join(subject.split()), body.strip() + "\n", to=[to]).send()
    except (OSError, SMTPException) as error:
        logger.warning("account mail not sent", template=template, error=type(error).__name__)
        raise MailNotSent("The mail server did not accept the mail.") from error
