"""The placeholders in a source's URL and body: the span that is requested, as the customer's system writes times.

`{since}` and `{until}` are instants in UTC, `{since_local}` and `{until_local}` the same in the source's time zone; a
format follows behind a colon. Templates are never evaluated: only these names are replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from urllib.parse import quote
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

EPOCH, EPOCH_MS = "epoch", "ms"
SUPPORTED = "{hours}, {hours:int}, {since}, {until}, {since_local}, {until_local}"
_EXAMPLES = "{since:epoch}, {since:ms} or {since:%Y-%m-%d}"
# In a URL every brace belongs to a placeholder; a body may be JSON, whose braces are its own.
_IN_URL = re.compile(r"\{([^{}]*)\}")
_IN_BODY = re.compile(r"\{((?:hours|since|until|since_local|until_local)(?::[^{}\"]*)?)\}")
_DIRECTIVE = re.compile(r"%(.)")
_DIRECTIVES = frozenset("YmdHMSjyIpbBaAzZ%")
_HUNDREDTH_OF_AN_HOUR = timedelta(seconds=36)
# A shorter look-back saves nothing and misses readings that are published late.
_MIN_HUNDREDTHS = 25


class TemplateError(ValueError):
    """A source's URL or body contains an invalid placeholder; the message is for the person who entered it."""


@dataclass(frozen=True)
class Window:
    """A requested span of time; both ends are aware, and `since` is not after `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A placeholder: `name` is hours, since or until; `time_format` is "" for the usual one."""

    name: str
    time_format: str = ""
    is_local: bool = False

    @classmethod
    def of(cls, text: str, where: str) -> Placeholder:
        """Return the placeholder that is written so. Raise TemplateError, naming the setting `where` it is."""
        full_name, _, time_format = text.partition(":")
        name = full_name.removesuffix("_local")
        if name not in ("hours", "since", "until") or full_name == "hours_local":
            raise TemplateError(
                f"The {where} contains {{{text}}}. Only {SUPPORTED} are supported, with a format such as {_EXAMPLES}."
            )
        if name == "hours":
            if time_format not in ("", "int"):
                raise TemplateError(f"The {where} contains {{{text}}}. Only {{hours}} and {{hours:int}} are supported.")
        elif time_format not in ("", EPOCH, EPOCH_MS):
            _check_format(text, time_format, where)
        return cls(name, time_format, full_name != name)


def _check_format(text: str, time_format: str, where: str) -> None:
    directives = _DIRECTIVE.findall(time_format)
    unknown = [directive for directive in directives if directive not in _DIRECTIVES]
    is_unfinished = "%" in _DIRECTIVE.sub("", time_format)
    if not directives or unknown or is_unfinished:
        raise TemplateError(f"The {where} contains {{{text}}}, whose format is unknown. Use one such as {_EXAMPLES}.")
    if not {"Y", "y"} & set(directives) or not {"d", "j"} & set(directives):
        raise TemplateError(f"The {where} contains {{{text}}}, whose format has no year or no day.")


def parse_placeholders(template: str, where: str = "URL") -> frozenset[str]:
    """Return the names of the placeholders in a URL. Raise TemplateError for an unknown one or an unmatched brace."""
    names = frozenset(Placeholder.of(text, where).name for text in _IN_URL.findall(template))
    if re.search(r"[{}]", _IN_URL.sub("", template)):
        raise TemplateError(f"The {where} contains an unmatched brace.")
    return names


def body_placeholders(template: str) -> frozenset[str]:
    """Return the names of the placeholders in a body, whose other braces are its own. Raise TemplateError."""
    return frozenset(Placeholder.of(text, "request body").name for text in _IN_BODY.findall(template))


def render_url(template: str, window: Window, now: datetime, zone: str = "UTC") -> str:
    """Return the URL with its placeholders filled in, rounded outwards so that nothing is missed.

    Instants are percent-encoded: `2026-11-23T10%3A15%3A00Z`. Raise TemplateError for any other brace.
    """
    parse_placeholders(template)
    values = _Values(window, now, ZoneInfo(zone))
    return _IN_URL.sub(lambda match: quote(values.text_of(Placeholder.of(match[1], "URL")), safe="."), template)


def render_body(template: str, window: Window, now: datetime, zone: str, unit_code: str, content_type: str) -> bytes:
    """Return the body with its placeholders filled in and escaped as its content type requires."""
    values, escaped = _Values(window, now, ZoneInfo(zone)), escaping(content_type)
    pattern = re.compile(_IN_BODY.pattern + r"|\{(unit)\}")

    def value_of(match: re.Match[str]) -> str:
        if match[2]:
            return escaped(unit_code)
        return escaped(values.text_of(Placeholder.of(match[1], "request body")))

    return pattern.sub(value_of, template).encode()


def escaping(content_type: str) -> Callable[[str], str]:
    """Return what makes a text a part of a value in a body of this content type."""
    kind = content_type.lower()
    if "json" in kind:
        return lambda text: json.dumps(text)[1:-1]
    if "urlencoded" in kind:
        return lambda text: quote(text, safe="")
    return escape if "xml" in kind else lambda text: text


@dataclass(frozen=True, slots=True)
class _Values:
    """The texts of the placeholders for a requested span."""

    window: Window
    now: datetime
    zone: ZoneInfo

    def text_of(self, placeholder: Placeholder) -> str:
        if placeholder.name == "hours":
            lookback = in_utc(self.now) - in_utc(self.window.since)
            if placeholder.time_format == "int":
                return str(max(-(-lookback // timedelta(hours=1)), 1))
            return str(_hundredths_of_hours(lookback) / 100)
        is_end = placeholder.name == "until"
        instant = in_utc(self.window.until if is_end else self.window.since)
        if placeholder.time_format == EPOCH_MS:
            step = timedelta(milliseconds=1)
            return str(_steps(instant, step, is_end=is_end))
        if placeholder.time_format == EPOCH:
            return str(_steps(instant, timedelta(seconds=1), is_end=is_end))
        zone = self.zone if placeholder.is_local else UTC
        time_format = placeholder.time_format or "%Y-%m-%dT%H:%M:%S" + ("" if placeholder.is_local else "Z")
        return _shown(instant, zone, time_format, is_end=is_end).strftime(time_format)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _steps(instant: datetime, step: timedelta, *, is_end: bool) -> int:
    since_epoch = instant - _EPOCH
    return -(-since_epoch // step) if is_end else since_epoch // step


def _shown(instant: datetime, zone: tzinfo, time_format: str, *, is_end: bool) -> datetime:
    """Return what the clock shows, rounded outwards: the end of a date is the next date.

    Without its offset, a time that a clock change repeats may be taken for either instant. It is moved out of the
    repeated time unless both are outside the span.
    """
    local, step = instant.astimezone(zone), _precision(time_format)
    rounded = _rounded(local.replace(tzinfo=None), step, is_end=is_end)
    if set(_DIRECTIVE.findall(time_format)) & {"z", "Z"}:
        return rounded.replace(tzinfo=zone, fold=local.fold)
    first, last = sorted(rounded.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if is_end and first < instant:
        rounded = _rounded(rounded + (last - first), step, is_end=True)
    elif not is_end and last > instant:
        rounded = _rounded(rounded - (last - first), step, is_end=False)
    return rounded.replace(tzinfo=zone)


def _rounded(shown: datetime, step: timedelta, *, is_end: bool) -> datetime:
    rounded = shown - (shown - _EPOCH.replace(tzinfo=None)) % step
    return rounded + step if is_end and rounded < shown else rounded


def _precision(time_format: str) -> timedelta:
    directives = set(_DIRECTIVE.findall(time_format))
    if "S" in directives:
        return timedelta(seconds=1)
    if "M" in directives:
        return timedelta(minutes=1)
    return timedelta(hours=1) if directives & {"H", "I"} else timedelta(days=1)


def in_utc(instant: datetime) -> datetime:
    """Return an aware instant in UTC: arithmetic within a local zone would use wall time, not elapsed time."""
    if instant.tzinfo is None:
        raise ValueError("The instant must be aware.")
    return instant.astimezone(UTC)


def _hundredths_of_hours(span: timedelta) -> int:
    rounded_up = -(-span // _HUNDREDTH_OF_AN_HOUR)
    return max(rounded_up, _MIN_HUNDREDTHS)
