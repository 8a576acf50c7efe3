"""Query parameters, read strictly: what can't be meant is a 422 that says why, never a guess."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.http import QueryDict
from rest_framework.request import Request

from core.api.errors import InvalidQuery

_LONGEST = 1_000
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# A plus sign that a client forgot to escape arrives as a blank.
_LOST_PLUS = re.compile(r"(?<=[0-9]) (?=[0-9]{2}:?[0-9]{2}$)", re.ASCII)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


class Parameters:
    """The query of one request. A parameter that is absent or empty is the default; of several the last counts."""

    def __init__(self, query: QueryDict) -> None:
        self._query = query

    @classmethod
    def of(cls, request: Request) -> Parameters:
        return cls(request._request.GET)

    def text(self, name: str) -> str:
        """The text, "" where there is none."""
        text: str = self._query.get(name, "")
        if len(text) > _LONGEST or not text.isprintable():
            raise InvalidQuery(name, f"must be printable text of at most {_LONGEST:,} characters.")
        return text

    def whole_number(self, name: str, default: int, lowest: int, highest: int) -> int:
        if name not in self._query:
            return default
        text = self.text(name)
        if not _WHOLE.fullmatch(text) or not lowest <= int(text) <= highest:
            raise InvalidQuery(name, f"must be a whole number from {lowest:,} to {highest:,}.")
        return int(text)

    def number(self, name: str, lowest: float = -math.inf, highest: float = math.inf) -> float | None:
        """The finite number, None where there is none."""
        text = self.text(name)
        if not text:
            return None
        if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            raise InvalidQuery(name, "must be a number.")
        if not lowest <= float(text) <= highest:
            raise InvalidQuery(name, f"must be from {lowest:g} to {highest:g}.")
        return float(text)

    def choice(self, name: str, choices: Iterable[str], default: str) -> str:
        text = self.text(name) or default
        if text not in choices:
            raise InvalidQuery(name, f"must be one of {', '.join(choices)}.")
        return text

    def public_id(self, name: str) -> UUID | None:
        """The id, None where there is none."""
        text = self.text(name)
        try:
            return UUID(text) if text else None
        except ValueError as error:
            raise InvalidQuery(name, "must be a UUID.") from error

    def start(self, name: str = "start_date") -> datetime | None:
        """The instant from which on, in UTC; None where there is none. A bare date is its beginning."""
        text = self.text(name).strip()
        return parse_instant(name, text) if text else None

    def end(self, name: str = "end_date") -> datetime | None:
        """The last instant, in UTC; None where there is none. A bare date is its end: the date is included."""
        text = self.text(name).strip()
        return parse_end(name, text) if text else None

    def period(self) -> tuple[datetime | None, datetime | None]:
        """`start_date` and `end_date`, both inclusive; None where there is none."""
        start, end = self.start(), self.end()
        if start and end and end < start:
            raise InvalidQuery("end_date", "must not be before start_date.")
        return start, end


def parse_instant(name: str, text: str) -> datetime:
    """An ISO 8601 time in UTC; a naive one is UTC. Raises InvalidQuery about the parameter `name`."""
    try:
        instant = datetime.fromisoformat(_LOST_PLUS.sub("+", text) if "T" in text or ":" in text else text)
        instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidQuery(name, "must be an ISO 8601 time, such as 2026-11-23T10:15:00+00:00.") from error
    if not 1900 <= instant.year <= 9000:
        raise InvalidQuery(name, "must be between the years 1900 and 9000.")
    return instant


def parse_end(name: str, text: str) -> datetime:
    """As parse_instant, but a bare date is its last microsecond: the date is included."""
    instant = parse_instant(name, text)
    return instant + DAY - MICROSECOND if _DATE.fullmatch(text) else instant
