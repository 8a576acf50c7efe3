"""Topic filters of MQTT sources: which topics are subscribed to, and which level of a topic names the unit."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from ingestion.sources import SettingError

UNIT_LEVEL = "{unit}"
MAX_FILTERS = 50
_MAX_LENGTH = 1_000
_PORTS = {"mqtt": 1883, "mqtts": 8883}


def parse_broker(url: str) -> tuple[str, int, bool]:
    """Return the host and the port of a broker, and whether it is connected to over TLS. Raise SettingError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise SettingError("broker_url", "broker_url is not a valid URL.") from error
    if (
        parts.scheme not in _PORTS
        or not host
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise SettingError("broker_url", "broker_url must be like mqtts://broker.example.com:8883, without a user.")
    return host, port or _PORTS[parts.scheme], parts.scheme == "mqtts"


def check_filters(filters: Sequence[str]) -> None:
    """Raise SettingError unless there is a filter, and each is valid by MQTT's rules."""
    if not filters:
        raise SettingError("topic_filters", "topic_filters must name at least one topic, such as stores/+/temperature.")
    if len(filters) > MAX_FILTERS:
        raise SettingError("topic_filters", f"topic_filters may have at most {MAX_FILTERS} entries.")
    for text in filters:
        levels = text.split("/")
        has_bad_wildcard = any(("#" in level or "+" in level) and len(level) > 1 for level in levels)
        if not text or has_bad_wildcard or "#" in levels[:-1] or "\0" in text or len(text) > _MAX_LENGTH:
            raise SettingError("topic_filters", f"topic_filters: “{text}” is not a filter. # must be the last level.")
        if levels.count(UNIT_LEVEL) > 1 or "{" in text.replace(UNIT_LEVEL, ""):
            raise SettingError("topic_filters", f"topic_filters: {UNIT_LEVEL} may be one level of “{text}”.")
        if text.startswith("$"):
            raise SettingError("topic_filters", "topic_filters must not name topics of the broker itself ($SYS).")


def subscription(text: str) -> str:
    """Return the filter as the broker knows it."""
    return "/".join("+" if level == UNIT_LEVEL else level for level in text.split("/"))


def is_topic_of(topic: str, filters: Sequence[str]) -> bool:
    """Return whether a topic matches one of the filters, and may be a topic at all."""
    return "\0" not in topic and any(_matched(topic.split("/"), text.split("/")) is not None for text in filters)


def unit_in(topic: str, filters: Sequence[str]) -> str:
    """Return the unit that a topic names by the first filter that it matches, "" if it names none."""
    for text in filters:
        unit = _matched(topic.split("/"), text.split("/"))
        if unit is not None:
            return unit
    return ""


def _matched(levels: Sequence[str], wanted: Sequence[str]) -> str | None:
    unit = ""
    for place, level in enumerate(wanted):
        if level == "#":
            return unit
        if place >= len(levels):
            return None
        if level == UNIT_LEVEL:
            unit = levels[place]
        elif level not in ("+", levels[place]):
            return None
    # A filter "a/#" matches "a" as well; one without it has to be as long as the topic.
    return unit if len(levels) == len(wanted) else None
