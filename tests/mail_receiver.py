"""A mail server that stores the messages it receives."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_django import Settings

from temperature_site.conf.services import mail_settings


class MailReceiver:
    """Listen on a free loopback port while used as a context.

    `refusal`, if set, is the answer to every recipient, and `refusals` to single ones. With `on_hanging`, mails are not
    answered: it is called when the first one has arrived.
    """

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.recipients: list[list[str]] = []
        self.refusal = ""
        self.refusals: dict[str, str] = {}
        self.on_hanging: Callable[[], None] | None = None
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self._server = Controller(self, hostname="127.0.0.1", port=self.port)

    @property
    def subjects(self) -> list[str]:
        """The unfolded subjects of the received messages."""
        return [_unfolded(str(make_header(decode_header(mail["Subject"])))) for mail in self.mails]

    def configure(self, settings: Settings) -> None:
        """Make Django send its mail here."""
        settings.EMAIL_URL = f"smtp://127.0.0.1:{self.port}"
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.DEFAULT_FROM_EMAIL = "Cold stores <alarms@cold.example.com>"
        for name, value in mail_settings(settings.EMAIL_URL).items():
            setattr(settings, name, value)

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self.refusals.get(address, self.refusal):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        if self.on_hanging is not None:
            self.on_hanging()
            await asyncio.sleep(3600)
        self.mails.append(message_from_bytes(envelope.content))
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"

    def __enter__(self) -> MailReceiver:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()


def _unfolded(header: str) -> str:
    return header.replace("\r\n", "").replace("\xa0", " ")
