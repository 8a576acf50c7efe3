"""Channels that lead to a chat, SMS or paging service, through the library apprise.

The customer gives a URL, and the library would connect to whatever it names, read files and show messages on this
machine's desktop. So only services are taken that have a fixed place of their own on the internet.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from apprise.logger import LogCapture
from apprise.manager_plugins import NotificationManager

from alarms.models import Channel, Message
from alarms.notifications.channels.outcome import Outcome, excerpt

REFUSED_SENTENCE = "This service is at an address of one's own choosing; use a webhook or e-mail for that."
_OWN_URL = re.compile(r"(https?|wss?)://([^/\s'\"]*)")
# What apprise puts into every service: where to read about it, not what it connects to.
_ABOUT = frozenset({"service_url", "setup_url", "app_url", "templates", "template_tokens", "template_args"})
# Examined by hand. Each takes its host from a table of its regions, which is not among its attributes.
_REGIONAL = frozenset({"pagerduty", "opsgenie"})
# Asks a directory that the account itself names where its messages go.
_LED_ELSEWHERE = frozenset({"bluesky", "bsky"})
# Parameters of every apprise URL that would loosen what holds for all.
_LOOSENING = frozenset({"verify", "redirect", "rto", "cto", "retry", "wait", "store"})


def send(channel: Channel, message: Message) -> Outcome:
    """Hand the message to the service. Raises SecretUnreadable."""
    url = channel.secret.reveal()
    service = _service(url)
    if service is None:
        return Outcome(False, problem("", url) or "The service can't be used.")
    with LogCapture(level=logging.WARNING, fmt="%(message)s") as captured:
        kind = NotifyType.FAILURE if message.is_critical else NotifyType.WARNING
        is_delivered = service.notify(
            body=message.body, title=message.subject, notify_type=kind, body_format=NotifyFormat.TEXT
        )
        answer = excerpt(captured.getvalue(), _pieces(url))
    return Outcome(bool(is_delivered), "" if is_delivered else answer or "The service did not take the message.")


def problem(address: str, secret: str) -> str:
    """Say why the service can't be used."""
    plugin = _plugin(secret)
    if plugin is None:
        return "No such service is known; a URL begins with its name, as in slack://."
    if not is_at_fixed_place(plugin) or _schema(secret) not in _secure_schemas(plugin):
        return REFUSED_SENTENCE
    return "" if _service(secret) is not None else "The URL lacks a part that this service needs."


def is_at_fixed_place(plugin: Any) -> bool:
    """Is the service one whose hosts its plugin fixes, spoken to through TLS, and which reads no file?

    Decided by what the plugin says of itself: its URLs have no host or port to fill in, none of its parameters names
    a file, and its own attributes hold the addresses it connects to, each with its host written out.
    """
    schemas = _secure_schemas(plugin)
    if not schemas or schemas & _LED_ELSEWHERE:
        return False
    templates = " ".join(plugin.templates)
    names = {*plugin.template_tokens, *plugin.template_args}
    if "{host}" in templates or "{port}" in templates or "host" in names or any("file" in name for name in names):
        return False
    hosts = list(_own_hosts(plugin))
    return bool(schemas & _REGIONAL) or (bool(hosts) and not any(set("{}%") & set(host) for host in hosts))


def _own_hosts(plugin: Any) -> Iterator[str]:
    """The hosts in the attributes of the plugin, in lists and tables as well."""
    for name, value in inspect.getmembers(plugin, lambda member: isinstance(member, str | dict | tuple | list)):
        if not name.startswith("__") and name not in _ABOUT:
            yield from (match.group(2) for match in _OWN_URL.finditer(str(value)))


def _secure_schemas(plugin: Any) -> frozenset[str]:
    secure = plugin.secure_protocol or ()
    return frozenset([secure] if isinstance(secure, str) else secure)


def _service(url: str) -> Any | None:
    """The service, ready to be used; None when it is refused or can't be."""
    plugin = _plugin(url)
    if plugin is None or not is_at_fixed_place(plugin) or _schema(url) not in _secure_schemas(plugin):
        return None
    asset = AppriseAsset(storage_mode="memory", http_redirects=False, async_mode=False)
    service = Apprise.instantiate(_tightened(url), asset=asset)
    # What it became is looked at, too: a URL may be read as another service than its schema says.
    return service if service is not None and is_at_fixed_place(type(service)) else None


def _plugin(url: str) -> Any | None:
    """The plugin of the URL's schema, without making one; None when there is none that works here."""
    manager = _manager()
    schema = _schema(url)
    return manager[schema] if schema and schema in manager else None


@cache
def _manager() -> Any:
    manager = NotificationManager()
    manager.load_modules()
    return manager


def _schema(url: str) -> str:
    return url.partition("://")[0].strip().lower() if "://" in url else ""


def _tightened(url: str) -> str:
    """The URL without the parameters that would loosen what holds for all."""
    address, mark, query = url.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if not _loosens(name)]
    return f"{address}{mark}{urlencode(kept)}" if kept else address


def _loosens(name: str) -> bool:
    return name.strip().lower() in _LOOSENING


def _pieces(url: str) -> list[str]:
    """What of the URL may be a secret: every part of it."""
    return [url, *re.split(r"[/:@?&=]+", unquote(url.partition("://")[2]))]
