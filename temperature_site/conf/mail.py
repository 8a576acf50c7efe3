"""The mail server, from one URL."""

from __future__ import annotations

from typing import Any

import environ

_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 587, "smtp+ssl": 465}


def mail_settings(url: str) -> dict[str, Any]:
    """Return Django's mail settings for `url`; none for an empty one, without which no mail is sent.

    smtp://user:password@host:25, smtp+tls:// for STARTTLS, smtp+ssl:// for TLS from the start.
    """
    if not url:
        return {}
    read = environ.Env.email_url_config(url)
    given = {name: value for name, value in read.items() if value not in (None, "")}
    return {"EMAIL_PORT": _PORTS.get(url.partition("://")[0], 25), **given}
