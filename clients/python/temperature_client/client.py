"""Read temperatures, alarms and units page by page, and push readings in batches, with retries.

Repeating a push is harmless: a reading is stored once. So pushes are retried like reads.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypedDict

import requests
from requests.auth import AuthBase

Json = dict[str, Any]
API = "/api/v1"
PAGE_SIZE = 1_000
BATCH_SIZE = 5_000
TIMEOUT_SECONDS = 60.0
# Overload, restarts and rate limits; other errors do not go away by repeating the request.
RETRIED = frozenset({429, 502, 503, 504})
MAX_WAIT_SECONDS = 60.0
# The last one: the connection ended within the response.
NETWORK_ERRORS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class NewReading(TypedDict, total=False):
    """A reading to push: `recorded_at` in ISO 8601 with an offset; the first four are required."""

    storage_unit_id: str
    temperature: float | None
    temperature_unit: str
    recorded_at: str
    sensor_id: str
    quality_score: float
    equipment_status: str


@dataclass(slots=True)
class PushResult:
    """What became of pushed rows; `errors` name the rejected ones by their number from 1 in the whole push."""

    received: int = 0
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    errors: list[Json] = field(default_factory=list)

    def add(self, answer: Json) -> None:
        """Add the answer to a batch."""
        self.errors += [error | {"row": error["row"] + self.received} for error in answer["errors"]]
        for name in ("received", "stored", "duplicates", "conflicts", "rejected"):
            setattr(self, name, getattr(self, name) + answer[name])


class ApiError(Exception):
    """A request that was refused, or that failed after every attempt; `status` is None without a response."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """The API with one token. Use as a context manager, or call `close`."""

    def __init__(self, site: str, token: str, *, attempts: int = 5, session: requests.Session | None = None) -> None:
        """`site` is the address without a path, such as https://cold.example.com."""
        self._root = site.rstrip("/") + API
        self._attempts = attempts
        self._session = session or requests.Session()
        self._session.auth = _TokenAuth(token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def facilities(self) -> Iterator[Json]:
        """Yield every facility."""
        return self._pages("/facilities")

    def units(self, facility_id: str) -> Iterator[Json]:
        """Yield the storage units of a facility."""
        return self._pages(f"/facilities/{facility_id}/units")

    def alarms(self, **filters: str) -> Iterator[Json]:
        """Yield the alarms that match the filters of the API, such as `state="open"`."""
        return self._pages("/alarms", filters)

    def readings(self, *, start: datetime | None = None, end: datetime | None = None, **filters: str) -> Iterator[Json]:
        """Yield the readings of a period, newest first; `start` and `end` must be aware."""
        return self._pages("/temperature", filters | _period(start, end))

    def statistics(self, *, start: datetime | None = None, end: datetime | None = None, **filters: str) -> Json:
        """Return the statistics of the readings of a period; `start` and `end` must be aware."""
        parameters = filters | _period(start, end)
        answer: Json = self._request("GET", f"{self._root}/analytics/temperature/summary", parameters=parameters)
        return answer

    def readings_of(self, unit_id: str, *, start: datetime, end: datetime) -> Iterator[Json]:
        """Yield the readings of a storage unit in a period, newest first; `start` and `end` must be aware."""
        return self._pages(f"/temperature/unit/{unit_id}", _period(start, end))

    def latest(self) -> Iterator[Json]:
        """Yield the latest reading of each storage unit, of the first PAGE_SIZE ones the newest first."""
        seen: set[str] = set()
        # Whoever reports while a long list is read moves up in it: then it is read again, until nothing is missing.
        while (yield from self._latest_unseen(seen)):
            pass

    def _latest_unseen(self, seen: set[str]) -> Generator[Json, None, bool]:
        """Yield the latest readings of units that are not in `seen`; return whether to look again."""
        parameters, found, is_first = {"limit": str(PAGE_SIZE)}, 0, True
        while True:
            page: list[Json] = self._request("GET", f"{self._root}/temperature/latest", parameters=parameters)
            unseen = [reading for reading in page if reading["storage_unit_id"] not in seen]
            seen.update(reading["storage_unit_id"] for reading in unseen)
            found += len(unseen)
            yield from unseen
            if len(page) < PAGE_SIZE:
                return found > 0 and not is_first
            before = parameters.get("end_date")
            parameters["end_date"], is_first = page[-1]["recorded_at"], False
            if parameters["end_date"] == before:
                raise ApiError(
                    f"{PAGE_SIZE} or more units have their latest reading at {before}: read them one by one."
                )

    def push(self, readings: Iterable[NewReading], *, batch_size: int = BATCH_SIZE) -> PushResult:
        """Push readings in batches; rows that are rejected do not keep the others from being stored."""
        result, rows = PushResult(), iter(readings)
        while batch := list(islice(rows, batch_size)):
            result.add(self._request("POST", f"{self._root}/temperature/bulk", body=batch))
        return result

    def _pages(self, path: str, filters: Mapping[str, str] | None = None) -> Iterator[Json]:
        parameters: dict[str, str] | None = {"limit": str(PAGE_SIZE), **(filters or {})}
        url: str | None = self._root + path
        while url:
            page = self._request("GET", url, parameters=parameters)
            yield from page["items"]
            # The link contains the parameters.
            url, parameters = page.get("next"), None

    def _request(
        self,
        method: str,
        url: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Sequence[NewReading] | None = None,
    ) -> Any:
        for attempt in range(1, self._attempts + 1):
            wait = min(2.0 ** (attempt - 1), MAX_WAIT_SECONDS)
            try:
                response = self._session.request(method, url, params=parameters, json=body, timeout=TIMEOUT_SECONDS)
            except NETWORK_ERRORS as error:
                failure = ApiError(f"{method} {url} failed: {type(error).__name__}.")
            else:
                if response.ok:
                    return response.json()
                failure = ApiError(f"{method} {url}: {response.status_code} {_detail(response)}", response.status_code)
                if response.status_code not in RETRIED:
                    raise failure
                if response.headers.get("Retry-After", "").isdigit():
                    wait = min(float(response.headers["Retry-After"]), MAX_WAIT_SECONDS)
            if attempt < self._attempts:
                time.sleep(wait)
        raise failure


class _TokenAuth(AuthBase):
    """The token as `auth`: a header of the session would be replaced by a password for the site in a .netrc file."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _period(start: datetime | None, end: datetime | None) -> dict[str, str]:
    """Return the query parameters of a period. Raise ValueError for a time without an offset."""
    period = {}
    for name, instant in (("start_date", start), ("end_date", end)):
        if instant is not None:
            if instant.tzinfo is None:
                raise ValueError(f"{name} needs a time zone.")
            period[name] = instant.isoformat()
    return period


def _detail(response: requests.Response) -> str:
    """Return the error in the API's words, else the beginning of the body."""
    try:
        document = response.json()
    except ValueError:
        return response.text[:200]
    return str(document.get("detail", document) if isinstance(document, dict) else document)[:500]
