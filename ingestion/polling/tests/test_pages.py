"""A response that continues on further pages is read to its end, or the cursor stays where it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.parsing.tests.parsing import json_row
from ingestion.polling.tests.polling import ServedSource, asked_for, asked_of, in_turn, polled_once
from ingestion.polling.tests.scripted_server import Script, Visit, answer
from readings.models import Reading

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

COUNT, PAGE_SIZE = 24, 10
NEWEST = NOON.replace(hour=11)
# What a page says about the next one: members and headers by the offset of its first row.
Paging = Callable[[int, str], tuple[dict[str, object], str]]


def by_next_in_body(start: int, path: str) -> tuple[dict[str, object], str]:
    return {"next": f"{path}?offset={start + PAGE_SIZE}" if start + PAGE_SIZE < COUNT else None}, ""


def by_link_header(start: int, path: str) -> tuple[dict[str, object], str]:
    link = f'Link: <{path}?offset={start + PAGE_SIZE}>; rel="next"\r\n'
    return {}, link if start + PAGE_SIZE < COUNT else ""


def by_cursor(start: int, path: str) -> tuple[dict[str, object], str]:
    has_more = start + PAGE_SIZE < COUNT
    return {"has_more": has_more, "next_cursor": str(start + PAGE_SIZE) if has_more else None}, ""


def by_page_number(start: int, path: str) -> tuple[dict[str, object], str]:
    return {"pagination": {"page": start // PAGE_SIZE + 1, "total_pages": 3}}, ""


def by_page_number_from_zero(start: int, path: str) -> tuple[dict[str, object], str]:
    return {"page": start // PAGE_SIZE, "pages": 3}, ""


def by_offset(start: int, path: str) -> tuple[dict[str, object], str]:
    return {"meta": {"offset": start, "limit": PAGE_SIZE, "total": COUNT}}, ""


def without_a_way(start: int, path: str) -> tuple[dict[str, object], str]:
    return {"has_more": True}, ""


def paged(paging: Paging, *, fails_at: int | None = None, first_page: int = 1) -> Script:
    """Return a script that serves COUNT rows in pages, newest first."""

    def respond(visit: Visit) -> None:
        parts = urlsplit(asked_for(visit.head))
        query = {name: int(values[0]) for name, values in parse_qs(parts.query).items() if values[0].isdigit()}
        start = query.get("offset", query.get("cursor", (query.get("page", first_page) - first_page) * PAGE_SIZE))
        if start == fails_at:
            answer(status="500 Internal Server Error")(visit)
            return
        members, headers = paging(start, parts.path)
        rows = [row(index) for index in range(start, min(start + PAGE_SIZE, COUNT))]
        body = json.dumps({"readings": rows, **members}).encode()
        answer(body, headers="Content-Type: application/json\r\n" + headers)(visit)

    return respond


def row(index: int) -> dict[str, object]:
    at: datetime = NEWEST - timedelta(minutes=index)
    return json_row(timestamp=at.strftime("%Y-%m-%dT%H:%M:%S"), temperature=-70.0 - index / 10)


@pytest.mark.parametrize("paging", [by_next_in_body, by_link_header, by_cursor, by_page_number, by_offset])
def test_every_page_is_stored_before_the_cursor_moves(source_of: Callable[..., ServedSource], paging: Paging) -> None:
    source = source_of(paged(paging), path="/readings")

    delivery = polled_once(source)

    assert (delivery.status, delivery.records_stored) == ("success", COUNT)
    assert Reading.objects.count() == COUNT
    assert source.cursor_at == NEWEST
    assert len(asked_of(source.server)) == 3


def test_pages_that_are_numbered_from_zero_end_before_their_count(source_of: Callable[..., ServedSource]) -> None:
    """Page 3 of 3 does not exist then: requesting it would fail, and keep the cursor where it is."""
    script = paged(by_page_number_from_zero, fails_at=3 * PAGE_SIZE, first_page=0)
    source = source_of(script, path="/readings")

    delivery = polled_once(source)

    assert (delivery.status, delivery.records_stored) == ("success", COUNT)
    assert source.cursor_at == NEWEST
    assert len(asked_of(source.server)) == 3


@pytest.mark.parametrize(
    "beside", [rb'"note": "\ud800"', b'"total": 1e400', '"meta": {"city": "Köln"}'.encode("cp1252")]
)
def test_what_the_parser_accepts_beside_them_hides_no_further_pages(
    source_of: Callable[..., ServedSource], beside: bytes
) -> None:
    """Text that is not strict JSON: a lone surrogate, a number beyond all types, another encoding."""
    pages = [
        b'{"readings": [%s], %s, "next": %s}' % (json.dumps(row(index)).encode(), beside, following)
        for index, following in enumerate((b'"/readings?page=2"', b"null"))
    ]
    script = in_turn(*(answer(page, headers="Content-Type: application/json\r\n") for page in pages))
    source = source_of(script, path="/readings")

    delivery = polled_once(source)

    assert (delivery.status, delivery.records_stored) == ("success", 2)
    assert asked_of(source.server) == ["/readings", "/readings?page=2"]


def test_a_page_that_fails_keeps_the_cursor_and_is_told(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(paged(by_next_in_body, fails_at=2 * PAGE_SIZE), path="/readings")

    delivery = polled_once(source)

    assert (delivery.status, delivery.records_stored) == ("partial", 2 * PAGE_SIZE)
    assert "further pages, which could not be read: The server answered with status 500" in delivery.error_message
    assert source.cursor_at is None


def test_retry_after_of_a_further_page_delays_the_next_poll(source_of: Callable[..., ServedSource]) -> None:
    first = json.dumps({"readings": [row(0)], "next": "/readings?page=2"}).encode()
    busy = answer(status="429 Too Many Requests", headers="Retry-After: 7200\r\n")
    source = source_of(in_turn(answer(first, headers="Content-Type: application/json\r\n"), busy), path="/readings")

    assert polled_once(source).status == "partial"
    assert source.next_due_at - NOON >= timedelta(hours=2)


def test_further_pages_that_cannot_be_requested_are_told(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(paged(without_a_way), path="/readings")

    delivery = polled_once(source)

    assert (delivery.status, delivery.records_stored) == ("partial", PAGE_SIZE)
    assert "does not say how to request them" in delivery.error_message
    assert source.cursor_at is None


def test_a_page_on_another_server_is_not_requested(source_of: Callable[..., ServedSource]) -> None:
    body = json.dumps({"readings": [row(0)], "next": "http://127.0.0.1:9/readings?page=2"}).encode()
    source = source_of(answer(body, headers="Content-Type: application/json\r\n"), path="/readings")

    delivery = polled_once(source)

    assert "on another server" in delivery.error_message
    assert len(asked_of(source.server)) == 1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"next": "http://[::1/readings?page=2"}, ""),
        ({"next": "http://127.0.0.1:port/readings"}, ""),
        ({"next": "http://127.0.0.1:99999999/readings"}, ""),
        ({"next": "/read\0ings\r\nX: y"}, ""),
        ({}, 'Link: <http://[/readings>; rel="next"\r\n'),
    ],
)
def test_a_next_page_with_an_invalid_address_makes_the_delivery_partial(
    source_of: Callable[..., ServedSource], body: dict[str, object], headers: str
) -> None:
    data = json.dumps({"readings": [row(0)]} | body).encode()
    source = source_of(answer(data, headers=f"Content-Type: application/json\r\n{headers}"), path="/readings")

    delivery = polled_once(source)

    assert (delivery.status, delivery.records_stored) == ("partial", 1)
    assert source.cursor_at is None


def test_a_page_that_leads_to_itself_ends_the_poll(source_of: Callable[..., ServedSource]) -> None:
    body = json.dumps({"readings": [row(0)], "next": "/readings"}).encode()
    source = source_of(answer(body, headers="Content-Type: application/json\r\n"), path="/readings")

    delivery = polled_once(source)

    assert "one that has been read" in delivery.error_message
    assert len(asked_of(source.server)) == 1


def test_a_response_that_reports_an_error_fails_the_poll(source_of: Callable[..., ServedSource]) -> None:
    body = b'{"success": false, "error": "token expired", "data": null}'
    source = source_of(answer(body, headers="Content-Type: application/json\r\n"), path="/readings")

    delivery = polled_once(source)

    assert (delivery.status, delivery.error_reason) == ("failure", "error_in_response")
    assert "token expired" in delivery.error_message


def test_a_declared_charset_is_respected(source_of: Callable[..., ServedSource]) -> None:
    body = "timestamp,unit_id,temperature\n2026-11-23 10:11,Камера 1,4.5\nEND".encode("cp1251")
    source = source_of(answer(body, headers="Content-Type: text/csv; charset=windows-1251\r\n"), path="/csv")

    delivery = polled_once(source)

    assert delivery.records_stored == 1
    assert Reading.objects.get().storage_unit.unit_code == "Камера 1"
    assert source.cursor_at == NOON.replace(hour=10, minute=11)
