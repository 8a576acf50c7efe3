"""Read settings from the environment, strictly: an invalid value stops the start with a message."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)", re.ASCII)
# How similar an unknown name must be to a setting's to be treated as a misspelling of it.
_ALIKE = 0.85
# So long before or after now there is still a date; the second in seconds.
MAX_DAYS = 36_500
MAX_TIME = MAX_DAYS * 24 * 3600
# In seconds: PostgreSQL counts the milliseconds of a statement with 31 bits.
MAX_STATEMENT = (2**31 - 1) // 1000


class Environment:
    """The environment's variables, read by name and type; an empty one counts as not set.

    Every reader raises ImproperlyConfigured with a sentence that names the setting, its value and what is expected.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.known: set[str] = set()

    def text(self, name: str, *, default: str = "") -> str:
        """Return the text."""
        self.known.add(name)
        return self._variables.get(name, "").strip() or default

    def choice(self, name: str, choices: Collection[str], *, default: str) -> str:
        """Return one of several texts."""
        value = self.text(name, default=default)
        if value not in choices:
            raise _invalid(name, value, f"must be one of {', '.join(choices)}")
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.text(name).lower()
        if not value:
            return default
        if value not in (*_TRUE, *_FALSE):
            raise _invalid(name, value, "must be true or false")
        return value in _TRUE

    def whole_number(self, name: str, *, default: int, min_value: int = 0, max_value: int | None = None) -> int:
        """Return a whole number in its range."""
        text = self.text(name)
        if not text:
            return default
        expected = f"must be a whole number {_range_text(min_value, max_value)}"
        if not _WHOLE_NUMBER.fullmatch(text):
            raise _invalid(name, text, f"{expected}, in digits only")
        if int(text) < min_value or (max_value is not None and int(text) > max_value):
            raise _invalid(name, text, expected)
        return int(text)

    def seconds(self, name: str, *, default: float) -> float:
        """Return a number of seconds above 0."""
        text = self.text(name)
        if not text:
            return default
        if not _NUMBER.fullmatch(text) or float(text) <= 0:
            raise _invalid(name, text, "must be a number of seconds above 0")
        return float(text)

    def names(self, name: str, *, default: Collection[str] = ()) -> list[str]:
        """Return the texts between commas."""
        text = self.text(name)
        return [part.strip() for part in text.split(",") if part.strip()] if text else [*default]

    def url(
        self, name: str, schemes: Collection[str], *, example: str, default: str = "", separator: str | None = None
    ) -> str:
        """Return a URL with one of these schemes and a host, or several with `separator` between; may be empty."""
        text = self.text(name, default=default)
        if text and not all(_is_url(part.strip(), schemes) for part in text.split(separator or "\n")):
            # The value is not repeated: it may hold a password.
            raise ImproperlyConfigured(f"{name} must be a URL such as {example}.")
        return text

    def stated(self) -> dict[str, str]:
        """Return the settings that are not left to their defaults, by name."""
        return {name: self._variables[name] for name in sorted(self.known) if self._variables.get(name, "").strip()}

    def misspellings(self) -> Iterator[tuple[str, str]]:
        """Yield the names of variables that were not read but resemble one that was, each with that one."""
        for name in sorted(set(self._variables) - self.known):
            for setting in get_close_matches(name.upper(), self.known, n=1, cutoff=_ALIKE):
                yield name, setting


def refuse_unsafe(*, is_demo: bool, debug: bool, allowed_hosts: Collection[str]) -> None:
    """Raise ImproperlyConfigured for settings that expose a system in production; the demo may have them."""
    if is_demo:
        return
    if debug:
        raise ImproperlyConfigured("DEBUG must be false outside the demo: its pages show settings and data to anyone.")
    if "*" in allowed_hosts:
        raise ImproperlyConfigured("ALLOWED_HOSTS must name the site's hosts outside the demo; it contains '*'.")


def require_valid_settings() -> None:
    """Read the settings; end the process with a sentence instead of a traceback if one is invalid."""
    try:
        settings.DEBUG  # noqa: B018 - the first access reads them all
    except ImproperlyConfigured as error:
        sys.exit(str(error))


def _is_url(text: str, schemes: Collection[str]) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _invalid(name: str, value: str, expected: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} {expected}; it is {value!r}.")


def _range_text(min_value: int, max_value: int | None) -> str:
    return f"of at least {min_value:,}" if max_value is None else f"from {min_value:,} to {max_value:,}"
