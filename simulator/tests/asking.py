"""A small HTTP client for the tests: statuses are answers, not exceptions."""

import csv
import io
import json
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def csv(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.body.decode())))


def get(url: str) -> Answer:
    return _ask("GET", url)


def post(url: str, document: object) -> Answer:
    return _ask("POST", url, json.dumps(document).encode())


def _ask(method: str, url: str, body: bytes | None = None) -> Answer:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request(method, f"{parts.path or '/'}?{parts.query}", body=body)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()
