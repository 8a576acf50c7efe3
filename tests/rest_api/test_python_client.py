"""The Python client in clients/python works with the API and is consistent with its contract."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.test import Client as DjangoClient
from requests.adapters import BaseAdapter

from tests.factories import FacilityFactory, StorageUnitFactory, make_token, store_readings

ROOT = Path(settings.BASE_DIR)
FOLDER = ROOT / "clients" / "python"
sys.path.insert(0, str(FOLDER))

from temperature_client import ApiError, Client  # noqa: E402 - after the path
from temperature_client import client as module  # noqa: E402 - as above

pytestmark = pytest.mark.django_db


class InProcess(BaseAdapter):
    """Pass the requests of a session to Django, after some scripted failures."""

    def __init__(self, failures: list[tuple[int, Mapping[str, str]]]) -> None:
        super().__init__()
        self.failures = failures
        self.sent: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:
        self.sent.append(f"{request.method} {request.path_url}")
        response = requests.Response()
        if self.failures:
            response.status_code, headers = self.failures.pop(0)
            response.headers = requests.structures.CaseInsensitiveDict(headers)
            response._content = b'{"detail": "busy"}'
            return response
        answer = DjangoClient().generic(
            request.method or "GET",
            request.path_url,
            request.body or b"",
            content_type="application/json",
            headers={"authorization": request.headers["Authorization"]},
        )
        response.status_code, response._content = answer.status_code, answer.content
        if threading.current_thread() is not threading.main_thread():
            connection.close()  # nobody else closes the connection of a thread that calls the client
        return response

    def close(self) -> None:
        """Hold nothing."""


def client_of(token: str, *failures: tuple[int, Mapping[str, str]], attempts: int = 5) -> tuple[Client, InProcess]:
    session, adapter = requests.Session(), InProcess(list(failures))
    session.mount("http://", adapter)
    return Client("http://localhost", token, attempts=attempts, session=session), adapter


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect the waits instead of waiting."""
    waited: list[float] = []
    monkeypatch.setattr("temperature_client.client.time.sleep", waited.append)
    return waited


def test_a_list_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 2)
    api_token, token = make_token()
    created = {str(FacilityFactory.create(customer=api_token.customer).public_id) for _ in range(5)}
    client, adapter = client_of(token)

    assert {facility["id"] for facility in client.facilities()} == created
    assert len(adapter.sent) == 3


@pytest.mark.parametrize("newest_is_read_again", [False, True])
def test_the_latest_readings_are_those_of_every_unit(
    monkeypatch: pytest.MonkeyPatch, newest_is_read_again: bool
) -> None:
    """The API returns up to PAGE_SIZE units at once, without a next page; no unit may be missing, nor come twice."""
    monkeypatch.setattr(module, "PAGE_SIZE", 3)
    api_token, token = make_token()
    facility = FacilityFactory.create(customer=api_token.customer)
    units = StorageUnitFactory.create_batch(5, facility=facility)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for minutes, unit in zip((0, 1, 1, 2, 3), units, strict=True):
        store_readings(unit, [4.0], start=start + timedelta(minutes=minutes))
    client, _ = client_of(token)

    readings = client.latest()
    read = [next(readings)["storage_unit_id"]]
    if newest_is_read_again:  # a unit reports that has not been read yet
        store_readings(units[0], [5.0], start=start + timedelta(minutes=4))
    read += [reading["storage_unit_id"] for reading in readings]

    assert sorted(read) == sorted(str(unit.public_id) for unit in units)


def test_more_units_than_can_be_told_apart_are_an_error_and_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 2)
    api_token, token = make_token()
    facility = FacilityFactory.create(customer=api_token.customer)
    for unit in StorageUnitFactory.create_batch(3, facility=facility):
        store_readings(unit, [4.0], start=datetime(2026, 1, 1, tzinfo=UTC))
    client, _ = client_of(token)
    with pytest.raises(ApiError, match="2 or more units have their latest reading at 2026-01-01"):
        list(client.latest())


def test_a_connection_that_ends_within_the_response_is_retried(waits: list[float]) -> None:
    _, token = make_token()
    client, adapter = client_of(token)
    send, broken = adapter.send, [requests.exceptions.ChunkedEncodingError("Response ended prematurely")]

    def send_and_break(*args: Any, **kwargs: Any) -> requests.Response:
        if broken:
            raise broken.pop()
        return send(*args, **kwargs)

    adapter.send = send_and_break  # type: ignore[method-assign]  # a test double
    assert list(client.facilities()) == []
    assert waits == [1.0]


def test_a_push_is_divided_and_its_errors_are_numbered_throughout() -> None:
    api_token, token = make_token()
    unit = StorageUnitFactory.create(facility__customer=api_token.customer)
    rows: list[Any] = [
        {
            "storage_unit_id": str(unit.public_id),
            "temperature": -70.0,
            "temperature_unit": "C",
            "recorded_at": f"2026-01-01T00:0{minute}:00Z",
        }
        for minute in range(3)
    ]
    rows[2] = rows[2] | {"storage_unit_id": "3f0e8c0a-51f4-4a52-9c2b-9f2f5d1c7a10"}
    client, _ = client_of(token)

    result = client.push(rows, batch_size=2)

    assert (result.received, result.stored, result.rejected) == (3, 2, 1)
    assert [error["row"] for error in result.errors] == [3]
    assert client.push(rows[:2]).duplicates == 2


def test_overload_is_retried_and_a_refusal_is_not(waits: list[float]) -> None:
    _, token = make_token()
    client, adapter = client_of(
        token, (503, {}), (503, {}), (429, {"Retry-After": "7"}), (429, {"Retry-After": "1800"})
    )
    assert list(client.facilities()) == []
    assert (len(adapter.sent), waits) == (5, [1.0, 2.0, 7.0, 60.0])

    client, adapter = client_of("unknown")
    with pytest.raises(ApiError) as refused:
        list(client.facilities())
    assert (refused.value.status, len(adapter.sent)) == (401, 1)

    client, adapter = client_of(token, (503, {}), (503, {}), attempts=2)
    with pytest.raises(ApiError, match="503 busy"):
        list(client.latest())


def test_the_token_is_sent_although_a_netrc_file_has_a_password_for_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login anna password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client, _ = client_of(make_token()[1])
    assert list(client.facilities()) == []


def test_times_without_a_zone_are_refused() -> None:
    client, _ = client_of("any")
    with pytest.raises(ValueError, match="start_date needs a time zone"):
        client.readings(start=datetime(2026, 1, 1))  # noqa: DTZ001 - refused


def test_every_path_of_the_client_is_in_the_contract() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    known = {re.sub(r"\{\w+\}", "{}", path) for path in paths}
    used = re.findall(
        r'f?"(?:\{self\._root\})?(/[a-z][^"]*)"', (FOLDER / "temperature_client" / "client.py").read_text()
    )
    assert {f"/api/v1{re.sub(r'{[^}]+}', '{}', path)}" for path in used if path != "/api/v1"} <= known
    assert len(used) >= 6
