"""Polling as the worker does it, of scripted servers on the loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ingestion.models import Delivery, Source
from ingestion.polling.claims import claim_now
from ingestion.polling.poll import poll
from ingestion.polling.tests.scripted_server import Script, ScriptedServer, Visit, answer

if TYPE_CHECKING:

    class ServedSource(Source):
        """A source of the fixture `source_of`, with the server that responds to its polls."""

        server: ScriptedServer

        class Meta:
            proxy = True

else:
    ServedSource = Source

JSON = "Content-Type: application/json\r\n"
CSV = "Content-Type: text/csv\r\n"


def polled(source: Source) -> list[Delivery]:
    """Poll the source, due or not; return the deliveries after reloading the source."""
    try:
        return poll(claim_now(source))
    finally:
        source.refresh_from_db()


def polled_once(source: Source) -> Delivery:
    """Poll a source that sends one request; return the delivery."""
    (delivery,) = polled(source)
    return delivery


def json_answer(body: str, **options: Any) -> Script:
    return answer(body.encode(), headers=JSON, **options)


def csv_answer(body: str | bytes, **options: Any) -> Script:
    return answer(body.encode() if isinstance(body, str) else body, headers=CSV, **options)


def in_turn(*scripts: Script) -> Script:
    """Return a script per request, in order of arrival; the last one serves all that follow."""
    left = list(scripts)
    return lambda visit: (left.pop(0) if len(left) > 1 else left[0])(visit)


def by_path(scripts: dict[str, Script]) -> Script:
    """Return a script per path; 404 for any other."""

    def choose(visit: Visit) -> None:
        path = asked_for(visit.head).partition("?")[0]
        scripts.get(path, answer(status="404 Not Found"))(visit)

    return choose


def asked_for(head: bytes) -> str:
    """Return the decoded target of a request's first line."""
    return unquote(head.split(b" ")[1].decode())


def asked_of(server: ScriptedServer) -> list[str]:
    return [asked_for(head) for head in server.heads]


def counts(delivery: Delivery) -> tuple[int, int, int, int]:
    """Return the numbers of stored, duplicate, conflicting and rejected rows."""
    return (
        delivery.records_stored,
        delivery.records_duplicate,
        delivery.records_conflicting,
        delivery.records_rejected,
    )
