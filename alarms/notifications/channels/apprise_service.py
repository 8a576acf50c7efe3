"""Chat, SMS and paging channels, delivered by the library apprise.

The customer supplies the URL, and apprise would connect to any host it names, read files and show desktop notifications
on this machine. So only services with fixed hosts on the internet are allowed, and what it connects to is checked like
the address of a webhook.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator
from functools import cache
from typing import cast
from urllib.parse import parse_qsl, unquote, urlencode

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType, OverflowMode
from apprise.logger import LogCapture
from apprise.manager_plugins import NotificationManager
from django.conf import settings

from alarms.models import Channel, Message
from alarms.notifications.channels.base import DeliveryResult, excerpt
from core.http.addresses import parse_networks, parse_ports
from core.http.guarded_requests import guarded

REFUSED_SENTENCE = "Self-hosted services are not supported; use a webhook or e-mail instead."
_HOST_IN_URL = re.compile(r"(https?|wss?)://([^/\s'\"]*)")
# The sign before everyone, here, all or channel, or an id in angle brackets.
_MENTION = re.compile(r"@(?=(?:everyone|here|all|channel)\b|[!&]?\w+>)", re.IGNORECASE)
# Attributes of every plugin that describe it rather than name what it connects to.
_DESCRIPTIVE = frozenset({"service_url", "setup_url", "app_url", "templates", "template_tokens", "template_args"})
# Reviewed by hand: the host comes from a table of regions that is not among the attributes.
_REGIONAL = frozenset({"pagerduty", "opsgenie"})
# The account names the directory that says where its messages go.
_REDIRECTED = frozenset({"bluesky", "bsky"})
# URL parameters that would override our security and timeout settings.
_OVERRIDES = frozenset({"verify", "redirect", "rto", "cto", "retry", "wait", "store"})
# Characters that are sent through services of short messages, such as SMS, which join several into one.
_JOINED_LENGTH = 1_000


def send(channel: Channel, message: Message) -> DeliveryResult:
    """Send the message through the service. Raise SecretUnreadable."""
    url = channel.secret.reveal()
    service = _service(url)
    if service is None:
        return DeliveryResult(False, settings_error("", url) or "The service cannot be used.")
    networks = parse_networks(settings.NOTIFICATION_ALLOWED_NETWORKS)
    with (
        guarded(networks, parse_ports(settings.OUTGOING_PORTS)),
        LogCapture(level=logging.WARNING, fmt="%(message)s") as captured,
    ):
        kind = NotifyType.FAILURE if message.is_critical else NotifyType.WARNING
        body, service.overflow_mode = _fitting(service, message)
        # Unlike the service itself, this converts the text to what the service takes, such as HTML.
        sender = Apprise(asset=service.asset)
        sender.add(service)
        is_delivered = sender.notify(
            body=_without_mentions(body),
            title=_without_mentions(message.subject),
            notify_type=kind,
            body_format=NotifyFormat.TEXT,
        )
        answer = excerpt(captured.getvalue(), _possible_secrets(url))
    return DeliveryResult(
        bool(is_delivered), "" if is_delivered else answer or "The service did not accept the message."
    )


def _without_mentions(text: str) -> str:
    """Break what services would take for a mention, which notifies everybody there: names may hold anything."""
    return _MENTION.sub("@\u200b", text)


def _fitting(service: NotifyBase, message: Message) -> tuple[str, OverflowMode]:
    """Return the text that the service takes, and what it does with text that is too long.

    Apprise leaves longer text to the service, which rejects it, on every attempt: so the end of a long digest is cut
    off. What the URL says about it takes precedence.
    """
    if service.overflow_mode is not OverflowMode.UPSTREAM:
        return message.body, service.overflow_mode
    if service.body_maxlen >= _JOINED_LENGTH:
        return message.body, OverflowMode.TRUNCATE
    return message.body[: _JOINED_LENGTH - len(message.subject)], OverflowMode.UPSTREAM


def settings_error(address: str, secret: str) -> str:
    """Return why the service cannot be used."""
    plugin = _plugin(secret)
    if plugin is None:
        return "Unknown service. The URL must start with the service's name, as in slack://."
    if not has_fixed_hosts(plugin) or _schema(secret) not in _secure_schemas(plugin):
        return REFUSED_SENTENCE
    service = _service(secret)
    if service is None:
        return "The URL is incomplete for this service."
    # Apprise says only whether all of them were reached: after the failure of one, all would get every retry.
    return "" if len(service) <= 1 else f"The URL has {len(service)} targets. Add a channel for each of them."


def has_fixed_hosts(plugin: type[NotifyBase]) -> bool:
    """Return whether the plugin connects only to hosts of its own, through TLS, and reads no files.

    Its metadata decides: its URLs have no host or port to fill in, none of its parameters names a file, and its
    attributes contain the addresses it connects to with literal hosts.
    """
    schemas = _secure_schemas(plugin)
    if not schemas or schemas & _REDIRECTED:
        return False
    templates = " ".join(plugin.templates)
    names = {*plugin.template_tokens, *plugin.template_args}
    if "{host}" in templates or "{port}" in templates or "host" in names or any("file" in name for name in names):
        return False
    hosts = list(_attribute_hosts(plugin))
    return bool(schemas & _REGIONAL) or (bool(hosts) and not any(set("{}%") & set(host) for host in hosts))


def _attribute_hosts(plugin: type[NotifyBase]) -> Iterator[str]:
    """Yield the hosts in the plugin's attributes, including those in lists and dictionaries."""
    for name, value in inspect.getmembers(plugin, lambda member: isinstance(member, str | dict | tuple | list)):
        if not name.startswith("__") and name not in _DESCRIPTIVE:
            yield from (match.group(2) for match in _HOST_IN_URL.finditer(str(value)))


def _secure_schemas(plugin: type[NotifyBase]) -> frozenset[str]:
    secure = plugin.secure_protocol or ()
    return frozenset([secure] if isinstance(secure, str) else secure)


def _service(url: str) -> NotifyBase | None:
    """Return the configured service; None if it is not allowed or the URL is incomplete."""
    plugin = _plugin(url)
    if plugin is None or not has_fixed_hosts(plugin) or _schema(url) not in _secure_schemas(plugin):
        return None
    asset = AppriseAsset(storage_mode="memory", http_redirects=False, async_mode=False)
    service = Apprise.instantiate(_without_overrides(url), asset=asset)
    # Check the result as well: apprise may read a URL as another service than its schema says.
    return service if service is not None and has_fixed_hosts(type(service)) else None


def _plugin(url: str) -> type[NotifyBase] | None:
    """Return the plugin class of the URL's schema; None if there is none that works here."""
    manager = _manager()
    schema = _schema(url)
    return cast(type[NotifyBase], manager[schema]) if schema and schema in manager else None


@cache
def _manager() -> NotificationManager:
    manager = NotificationManager()
    manager.load_modules()
    return manager


def _schema(url: str) -> str:
    return url.partition("://")[0].strip().lower() if "://" in url else ""


def _without_overrides(url: str) -> str:
    """Drop the URL parameters in _OVERRIDES."""
    address, mark, query = url.partition("?")
    others = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if not _is_override(name)]
    return f"{address}{mark}{urlencode(others)}" if others else address


def _is_override(name: str) -> bool:
    return name.strip().lower() in _OVERRIDES


def _possible_secrets(url: str) -> list[str]:
    """Return every part of the URL: any may be a secret."""
    return [url, *re.split(r"[/:@?&=]+", unquote(url.partition("://")[2]))]
