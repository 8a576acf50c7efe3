"""E-mail channels, delivered through the operator's mail server."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.core.validators import validate_email
from typing_extensions import override

from alarms.models import Channel, Message
from alarms.notifications.channels.base import DeliveryResult, excerpt

if TYPE_CHECKING:
    from _typeshed import SizedBuffer

MAX_ADDRESSES = 20
# How often a mail is repeated to all its addresses because some were refused for now, as by greylisting.
REPEATS = 5
SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
# How long a server may take to say goodbye: less than what is left to a worker after its soft time limit.
QUIT_SECONDS = 1.0
# The first code of permanent refusals.
PERMANENT = 500


class _Smtp(smtplib.SMTP):
    """A connection that raises SMTPRecipientsRefused also if the server accepts the mail for other recipients."""

    @override
    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Sequence[str],
        msg: SizedBuffer | str,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> dict[str, tuple[int, bytes]]:
        refused = super().sendmail(from_addr, to_addrs, msg, mail_options, rcpt_options)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)
        return refused


class _SmtpOverTls(_Smtp, smtplib.SMTP_SSL):
    """The same through TLS from the start."""


class SmtpBackend(EmailBackend):
    """Django's backend, which reports every refused recipient and leaves a server that hangs at once."""

    @property
    def connection_class(self) -> type[_Smtp]:
        """The class of connections to the server."""
        return _SmtpOverTls if self.use_ssl else _Smtp

    @override
    def close(self) -> None:
        # After the soft time limit Django would wait for the answer to QUIT until the hard limit ends the process.
        if self.connection is not None and self.connection.sock is not None:
            self.connection.sock.settimeout(QUIT_SECONDS)
        super().close()


def send(channel: Channel, message: Message) -> DeliveryResult:
    """Send one e-mail to all addresses of the channel. Its Message-ID derives from the message's id and is stable."""
    if not settings.EMAIL_URL:
        return DeliveryResult(False, "No mail server is configured (EMAIL_URL).")
    addresses = split_addresses(channel.address)
    mail = EmailMessage(
        subject=message.subject,
        body=message.body,
        to=addresses,
        headers={"Message-ID": message_id(message), "Auto-Submitted": "auto-generated"},
        connection=_connection(),
    )
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as refused:
        if len(refused.recipients) < len(addresses):
            return _accepted_in_part(refused.recipients, message.attempt_count)
        code, text = next(iter(refused.recipients.values()))
        return DeliveryResult(False, _text(text), code)
    except smtplib.SMTPResponseException as refused:
        return DeliveryResult(False, _text(refused.smtp_error), refused.smtp_code)
    except (smtplib.SMTPException, OSError) as error:
        return DeliveryResult(False, excerpt(f"{type(error).__name__}: {error}", [settings.EMAIL_HOST_PASSWORD]))
    return DeliveryResult(True)


def settings_error(address: str, secret: str) -> str:
    """Return which address is invalid."""
    addresses = split_addresses(address)
    if not addresses:
        return "Enter one or more e-mail addresses, separated by commas."
    if len(addresses) > MAX_ADDRESSES:
        return f"Enter at most {MAX_ADDRESSES} addresses per channel."
    for single in addresses:
        try:
            validate_email(single)
        except ValidationError:
            return f"“{single}” is not an e-mail address."
    return ""


def split_addresses(text: str) -> list[str]:
    """Split a comma-separated list of addresses."""
    return [part.strip() for part in text.split(",") if part.strip()]


def message_id(message: Message) -> str:
    """Return the Message-ID, the same for every attempt."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip("> ") or "localhost"
    return f"<{message.public_id}@{domain}>"


def _accepted_in_part(refused: Mapping[str, tuple[int, bytes | str]], earlier_attempts: int) -> DeliveryResult:
    """Return the result of a mail that the server accepted for the other addresses.

    They would get every repetition, so there are few, and none for addresses that are refused for good.
    """
    named = ", ".join(f"{address} ({code} {_text(text)})" for address, (code, text) in refused.items())
    codes = [code for code, _ in refused.values()]
    is_repeated = min(codes) < PERMANENT and earlier_attempts < REPEATS
    answer = excerpt(f"Not accepted: {named}.")
    return DeliveryResult(not is_repeated, answer, codes[0], is_partial=not is_repeated)


def _connection() -> BaseEmailBackend:
    if settings.EMAIL_BACKEND == SMTP_BACKEND:
        return SmtpBackend(timeout=settings.NOTIFICATION_TOTAL_SECONDS)
    return get_connection(timeout=settings.NOTIFICATION_TOTAL_SECONDS)


def _text(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return excerpt(text, [settings.EMAIL_HOST_PASSWORD])
