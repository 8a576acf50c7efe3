"""Channels that lead to e-mail addresses, through the server that the operator set."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email

from alarms.models import Channel, Message
from alarms.notifications.channels.outcome import Outcome, excerpt

MOST_ADDRESSES = 20


def send(channel: Channel, message: Message) -> Outcome:
    """Send one mail to all the channel's addresses. Its Message-ID is made of the message's id and never changes."""
    if not settings.EMAIL_URL:
        return Outcome(False, "No mail server is set: the operator names one in EMAIL_URL.")
    mail = EmailMessage(
        subject=message.subject,
        body=message.body,
        to=addresses_of(channel.address),
        headers={"Message-ID": message_id(message), "Auto-Submitted": "auto-generated"},
        connection=get_connection(timeout=settings.NOTIFICATION_TOTAL_SECONDS),
    )
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as refused:
        code, text = next(iter(refused.recipients.values()))
        return Outcome(False, _text(text), code)
    except smtplib.SMTPResponseException as refused:
        return Outcome(False, _text(refused.smtp_error), refused.smtp_code)
    except (smtplib.SMTPException, OSError) as error:
        return Outcome(False, excerpt(f"{type(error).__name__}: {error}", [settings.EMAIL_HOST_PASSWORD]))
    return Outcome(True)


def problem(address: str, secret: str) -> str:
    """Say which address can't be one."""
    addresses = addresses_of(address)
    if not addresses:
        return "Enter one e-mail address or several, separated by commas."
    if len(addresses) > MOST_ADDRESSES:
        return f"A channel takes up to {MOST_ADDRESSES} addresses; make another one for the rest."
    for single in addresses:
        try:
            validate_email(single)
        except ValidationError:
            return f"“{single}” is no e-mail address."
    return ""


def addresses_of(written: str) -> list[str]:
    """The addresses that stand between the commas."""
    return [part.strip() for part in written.split(",") if part.strip()]


def message_id(message: Message) -> str:
    """The mail's Message-ID, the same for every repeat."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip("> ") or "localhost"
    return f"<{message.public_id}@{domain}>"


def _text(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return excerpt(text, [settings.EMAIL_HOST_PASSWORD])
