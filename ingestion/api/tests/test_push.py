"""Pushes of readings over the REST API, singly and in bulk."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customers.models import StorageUnit
from ingestion.api import views
from ingestion.models import Conflict, Delivery, RejectedRow
from readings.models import Reading
from readings.statistics.statistics import totals_by_unit
from readings.time_ranges import TimeRange
from tests.factories import FacilityFactory, StaffFactory, StorageUnitFactory, make_token
from tests.responses import Json

pytestmark = pytest.mark.django_db
ONE, BULK = "/api/v1/temperature", "/api/v1/temperature/bulk"


def client_with(**token: Any) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(**token)[1]}")
    return client


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(facility=FacilityFactory(name="Oxford"), name="Room 1")


@pytest.fixture
def client(unit: StorageUnit) -> APIClient:
    return client_with(customer=unit.facility.customer, permissions=["write"])


def reading(unit: StorageUnit, **changed: object) -> dict[str, object]:
    return {
        "storage_unit_id": str(unit.public_id),
        "temperature": 41.9,
        "temperature_unit": "F",
        "recorded_at": "2026-11-20T10:00:00+01:00",
        "sensor_id": "S1",
    } | changed


def test_a_reading_is_stored_and_returned(client: APIClient, unit: StorageUnit) -> None:
    response = client.post(ONE, reading(unit, quality_score=0.5, equipment_status="Warning"))
    assert response.status_code == 201
    data = response.json()
    assert (data["temperature"], data["temperature_unit"]) == (41.9, "F")
    assert (data["recorded_at"], data["sensor_id"]) == ("2026-11-20T09:00:00Z", "S1")
    assert (data["quality_score"], data["equipment_status"]) == (0.5, "warning")
    assert (data["storage_unit_id"], data["unit_name"]) == (str(unit.public_id), "Room 1")
    stored = Reading.objects.get()
    assert stored.temperature_c == pytest.approx(5.5)
    assert stored.sensor.sensor_code == "S1"
    assert Delivery.objects.get().ingestion_type == "push"


def test_the_same_reading_again_is_200_with_the_same_body(client: APIClient, unit: StorageUnit) -> None:
    first = client.post(ONE, reading(unit))
    again = client.post(ONE, reading(unit, recorded_at="2026-11-20T09:00:00Z"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Reading.objects.count() == 1


def test_a_reading_that_is_withdrawn_before_the_response_is_503(
    client: APIClient, unit: StorageUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "stored_row", lambda *_: None)
    response = client.post(ONE, reading(unit))
    assert response.status_code == 503
    assert "withdrawn" in response.json()["detail"]


def test_another_temperature_is_409_and_recorded_as_a_conflict(client: APIClient, unit: StorageUnit) -> None:
    client.post(ONE, reading(unit))
    response = client.post(ONE, reading(unit, temperature=50))
    assert response.status_code == 409
    assert "review" in response.json()["detail"]
    assert Reading.objects.get().temperature_c == pytest.approx(5.5)
    assert Conflict.objects.get().temperature_c == 10.0


def test_null_is_a_fault_and_not_zero(client: APIClient, unit: StorageUnit) -> None:
    response = client.post(ONE, reading(unit, temperature=None))
    assert response.json()["temperature"] is None
    day = datetime(2026, 11, 20, tzinfo=UTC)
    totals = totals_by_unit([unit.pk], TimeRange(day, day + timedelta(days=1)))[unit.pk]
    assert (totals.reading_count, totals.fault_count, totals.min_c) == (1, 1, None)


def test_omitted_fields_have_defaults(client: APIClient, unit: StorageUnit) -> None:
    sent = {"storage_unit_id": str(unit.public_id), "temperature": 5, "recorded_at": "2026-11-20T10:00:00"}
    response = client.post(ONE, sent).json()
    assert (response["quality_score"], response["equipment_status"], response["sensor_id"]) == (1.0, "normal", "")
    assert (response["temperature_unit"], response["recorded_at"]) == ("C", "2026-11-20T10:00:00Z")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", "NaN"), ("temperature", "Infinity"), ("temperature", True), ("temperature", "warm"),
        ("temperature", 10**400), ("temperature", 1e300), ("temperature", -1000), ("temperature", 5000),
        ("temperature", [1]), ("temperature", {}), ("temperature", "4_5"), ("temperature", "٤"),
        ("temperature_unit", "ZZ"), ("temperature_unit", None),
        ("temperature_unit", 1), ("recorded_at", "yesterday"), ("recorded_at", "2096-01-01T00:00:00Z"),
        ("recorded_at", "1999-12-31T00:00:00Z"), ("recorded_at", "0001-01-01T00:00:00+14:00"),
        ("recorded_at", "9999-12-31T23:59:59-14:00"), ("recorded_at", None), ("recorded_at", 1795392000),
        ("recorded_at", "2026-11-20"), ("recorded_at", "2026-W47-5"), ("recorded_at", "2000-01-01T00:00:00Z"),
        ("sensor_id", "a\x00b"), ("sensor_id", "x" * 101), ("sensor_id", "a\nb"), ("sensor_id", ["a"]),
        ("quality_score", 1.1), ("quality_score", -1), ("quality_score", "NaN"), ("quality_score", None),
        ("equipment_status", "x" * 33), ("equipment_status", "\x07"), ("storage_unit_id", "no-uuid"),
        ("storage_unit_id", None), ("storage_unit_id", 10**40), ("storage_unit_id", "\x00"),
    ],
)  # fmt: skip
def test_an_invalid_value_is_reported_and_nothing_stored(
    client: APIClient, unit: StorageUnit, field: str, value: object
) -> None:
    response = client.post(ONE, reading(unit, **{field: value}))
    assert response.status_code == 400, response.content
    assert list(response.json()) == [field]
    assert Reading.objects.count() == Delivery.objects.count() == 0


@pytest.mark.parametrize("left_out", ["storage_unit_id", "temperature", "recorded_at"])
def test_required_fields_are_required(client: APIClient, unit: StorageUnit, left_out: str) -> None:
    sent = reading(unit)
    del sent[left_out]
    response = client.post(ONE, sent)
    assert (response.status_code, list(response.json())) == (400, [left_out])


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"5", b'"x"', b"null", b"\xff", b"[" * 100_000, b'{"temperature": NaN}', b'"\\ud800"']
)
def test_a_body_that_is_not_a_reading_is_400(client: APIClient, body: bytes) -> None:
    response = client.post(ONE, data=body, content_type="application/json")
    assert response.status_code == 400, response.content


def test_a_body_of_another_type_is_415_and_a_huge_one_413(client: APIClient) -> None:
    assert client.post(ONE, data=b"a=1", content_type="application/x-www-form-urlencoded").status_code == 415
    assert client.post(ONE, data=b" " * 2_000_000, content_type="application/json").status_code == 413


def test_an_unknown_and_another_customers_unit_are_404(client: APIClient) -> None:
    foreign = StorageUnitFactory()
    for unit_id in (foreign.public_id, "00000000-0000-4000-8000-000000000000"):
        assert client.post(ONE, reading(foreign, storage_unit_id=str(unit_id))).status_code == 404
    assert Reading.objects.count() == 0


def test_a_token_pushes_only_to_the_units_of_its_list(unit: StorageUnit) -> None:
    other = StorageUnitFactory(facility=unit.facility)
    client = client_with(customer=unit.facility.customer, permissions=["write"], units=[unit])
    assert client.post(ONE, reading(other)).status_code == 404
    assert client.post(ONE, reading(unit)).status_code == 201


def test_a_read_token_cannot_push(unit: StorageUnit) -> None:
    client = client_with(customer=unit.facility.customer, permissions=["read"])
    assert client.post(ONE, reading(unit)).status_code == 403
    assert client.post(BULK, data=b"[]", content_type="application/json").status_code == 403
    assert Reading.objects.count() == 0


def test_an_admin_pushes_for_every_customer_and_each_has_its_delivery(unit: StorageUnit) -> None:
    other = StorageUnitFactory()
    client = client_with(permissions=["admin"])
    rows = [reading(unit), reading(other), reading(other, storage_unit_id="x")]
    response = client.post(BULK, rows).json()
    assert (response["received"], response["stored"], response["rejected"]) == (3, 2, 1)
    assert set(Delivery.objects.values_list("customer", "records_stored")) == {
        (unit.facility.customer_id, 1),
        (other.facility.customer_id, 1),
    }


def test_staff_push_without_a_customer_of_their_own(unit: StorageUnit) -> None:
    client = APIClient()
    client.force_login(StaffFactory())
    assert client.post(BULK, [reading(unit)]).json()["stored"] == 1
    assert client.post(BULK, [reading(unit, storage_unit_id="x")]).json()["rejected"] == 1


def rows_of(unit: StorageUnit, count: int) -> list[dict[str, object]]:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    return [
        reading(unit, recorded_at=(start + timedelta(minutes=number)).isoformat(), temperature=number / 100)
        for number in range(count)
    ]


def as_csv(rows: list[dict[str, object]]) -> bytes:
    return "\r\n".join([",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]).encode()


FORMS: dict[str, tuple[Callable[[list[dict[str, object]]], bytes], str]] = {
    "array": (lambda rows: json.dumps(rows).encode(), "application/json"),
    "lines": (lambda rows: b"\n".join(json.dumps(row).encode() for row in rows) + b"\n", "application/x-ndjson"),
    "csv": (as_csv, "text/csv"),
    "unnamed array": (lambda rows: json.dumps(rows).encode(), "application/octet-stream"),
    "unnamed csv": (as_csv, "application/octet-stream"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("compressed", [False, True])
def test_every_format_is_stored_once_compressed_or_not(
    client: APIClient, unit: StorageUnit, form: str, compressed: bool
) -> None:
    encode, content_type = FORMS[form]
    body = encode(rows_of(unit, 50))
    headers = {"Content-Encoding": "gzip"} if compressed else {}
    body = gzip.compress(body) if compressed else body
    first, again = (client.post(BULK, data=body, content_type=content_type, headers=headers) for _ in range(2))
    assert first.status_code == 200, first.content
    everything = {"received": 50, "stored": 50, "duplicates": 0, "conflicts": 0, "rejected": 0, "errors": []}
    assert first.json() == everything
    assert again.json() == everything | {"stored": 0, "duplicates": 50}
    assert Reading.objects.count() == 50
    assert Reading.objects.get(recorded_at="2026-11-20T00:00:00Z").sensor.sensor_code == "S1"


def test_invalid_rows_are_reported_and_valid_rows_stored(client: APIClient, unit: StorageUnit) -> None:
    foreign = StorageUnitFactory()
    rows = [
        reading(unit),
        reading(unit, temperature="NaN"),
        reading(foreign),
        reading(unit, recorded_at="2096-01-01T00:00:00Z"),
        7,
        reading(unit, temperature=60),
        reading(unit, temperature="5.5", recorded_at="2026-11-20 09:30:00", sensor_id=7),
        reading(unit, temperature_unit="ZZ"),
        {"temperature": 5},
        reading(unit, quality_score=2),
        reading(unit, sensor_id="\x00"),
        reading(unit, temperature=10**400),
    ]
    response = client.post(BULK, rows).json()
    assert {key: response[key] for key in ("received", "stored", "duplicates", "conflicts", "rejected")} == {
        "received": 12, "stored": 2, "duplicates": 0, "conflicts": 1, "rejected": 9,
    }  # fmt: skip
    assert [(error["row"], error["code"]) for error in response["errors"]] == [
        (2, "not_finite"), (3, "unknown_unit"), (4, "future_time"), (5, "not_an_object"), (8, "unknown_scale"),
        (9, "no_unit"), (10, "bad_quality"), (11, "not_text"), (12, "not_finite"),
    ]  # fmt: skip
    assert all(error["message"] for error in response["errors"])
    assert RejectedRow.objects.count() == 0
    assert Conflict.objects.count() == 1
    assert Reading.objects.count() == 2


def test_readings_from_years_ago_are_stored_once_they_are_confirmed(client: APIClient, unit: StorageUnit) -> None:
    rows = [reading(unit, recorded_at=f"2019-05-01T{hour:02}:00:00Z") for hour in range(3)]

    refused = client.post(BULK, rows, format="json").json()
    assert (refused["stored"], refused["rejected"]) == (0, 3)
    assert "accept old readings" in refused["errors"][0]["message"]
    stored = client.post(f"{BULK}?accept_old_readings=true", rows, format="json").json()
    assert (stored["stored"], stored["rejected"], Reading.objects.count()) == (3, 0, 3)


def test_a_line_that_is_not_json_is_an_error_of_that_line(client: APIClient, unit: StorageUnit) -> None:
    body = b'{"broken\n\n' + msgspec.json.encode(reading(unit))
    response = client.post(BULK, data=body, content_type="application/x-ndjson").json()
    assert (response["stored"], response["errors"][0]["row"], response["errors"][0]["code"]) == (1, 1, "invalid_json")


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "status"),
    [
        (b"", "application/json", "", 400),
        (b" ", "application/json", "", 400),
        (b"{", "application/json", "", 400),
        (b"[", "application/json", "", 400),
        (b"{}", "application/json", "", 400),
        (b"[1", "application/json", "", 400),
        (b"[" * 100_000, "application/json", "", 400),
        (b"\xff\xfe\x00", "application/json", "", 400),
        (b"not gzip", "application/json", "gzip", 400),
        (b"\x1f\x8bnot gzip", "application/json", "gzip", 400),
        (gzip.compress(b"[]")[:-9], "application/json", "gzip", 400),
        (b"[]", "application/json", "br", 400),
        (b"a,b\n1,2\n", "text/csv", "", 400),
        (b"<html>", "text/csv", "", 400),
        (b"\x00" * 100, "text/csv", "", 400),
        (b"[" + b"1," * 100_001 + b"1]", "application/json", "", 413),
        (b"1\n" * 100_001, "application/x-ndjson", "", 413),
    ],
)
def test_an_unreadable_body_is_rejected_as_a_whole(
    client: APIClient, body: bytes, content_type: str, encoding: str, status: int
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    response = client.post(BULK, data=body, content_type=content_type, headers=headers)
    assert response.status_code == status, response.content
    assert list(response.json()) == ["detail"]
    assert Reading.objects.count() == 0


def test_nested_json_in_a_row_is_an_error_of_that_row(client: APIClient, unit: StorageUnit) -> None:
    body = b'[{"temperature": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]"
    response = client.post(BULK, data=body, content_type="application/json")
    assert response.status_code in (200, 400)
    assert Reading.objects.count() == 0


def test_a_body_of_20_mb_is_413_compressed_or_not(client: APIClient) -> None:
    huge = b"[" + b" " * 20_000_000 + b"]"
    assert client.post(BULK, data=huge, content_type="application/json").status_code == 413
    bomb = gzip.compress(b" " * (settings.BULK_MAX_BYTES + 1))
    assert len(bomb) < 100_000
    headers = {"Content-Encoding": "gzip"}
    assert client.post(BULK, data=bomb, content_type="application/json", headers=headers).status_code == 413


def test_an_unreadable_push_is_logged_as_a_delivery(client: APIClient, unit: StorageUnit) -> None:
    client.post(BULK, data=b"{", content_type="application/json")
    delivery = Delivery.objects.get(customer=unit.facility.customer)
    assert (delivery.status, delivery.error_reason) == ("failure", "invalid_json")


def test_errors_beyond_a_thousand_are_only_counted(client: APIClient) -> None:
    response = client.post(BULK, data=b"1\n" * 1_500, content_type="application/x-ndjson").json()
    assert (response["rejected"], len(response["errors"])) == (1_500, 1_000)


def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
    client: APIClient, unit: StorageUnit, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    units = [unit, *StorageUnitFactory.create_batch(9, facility=unit.facility)]
    client.post(BULK, [row | {"temperature": 41} for each in units for row in rows_of(each, 1)])

    def push(count: int, day: str) -> Json:
        # Within the limits: excursions take queries for the alarms that they open, see
        # alarms/evaluation/tests/test_evaluate.py.
        rows = [row | {"temperature": 41} for each in units[: count // 10 or 1] for row in rows_of(each, count)]
        body = json.dumps(rows).replace("2026-11-20", day)
        return client.post(BULK, data=body, content_type="application/json").json()

    push(2, "2026-11-21")
    with CaptureQueriesContext(connection) as few:
        assert push(2, "2026-11-22")["stored"] == 2
    with django_assert_num_queries(len(few)):
        assert push(40, "2026-11-23")["stored"] == 160
    # What is stored of many rows is found, their units are located, and their sums are merged.
    with django_assert_num_queries(len(few) + 3):
        assert push(100, "2026-11-24")["stored"] == 1_000


@pytest.mark.parametrize("field", ["unit", "units", "scale", "degrees", "Temperature_Unit", "uom", "humidity"])
def test_a_field_that_is_not_understood_is_refused_by_name(client: APIClient, unit: StorageUnit, field: str) -> None:
    sent = {**reading(unit), field: "F"}

    single = client.post(ONE, sent, format="json")
    bulk = client.post(BULK, data=msgspec.json.encode([sent]), content_type="application/json").json()

    assert (single.status_code, field in single.content.decode()) == (400, True)
    assert (bulk["stored"], bulk["errors"][0]["code"]) == (0, "unknown_field")
    assert field in bulk["errors"][0]["message"]


@pytest.mark.parametrize("title", ["unit", "units", "scale", "degrees", "Temperature_Unit", "temperature_unit"])
def test_a_scale_in_a_pushed_table_counts_under_any_of_its_names(
    client: APIClient, unit: StorageUnit, title: str
) -> None:
    body = f"storage_unit_id,recorded_at,temperature,{title}\n{unit.public_id},2026-11-23T10:00:00Z,41,F\n"

    response = client.post(BULK, data=body, content_type="text/csv").json()

    assert response["stored"] == 1
    assert Reading.objects.get().temperature_c == 5.0


@pytest.mark.parametrize("is_bulk", [False, True])
def test_a_name_that_occurs_twice_is_refused(client: APIClient, unit: StorageUnit, is_bulk: bool) -> None:
    row = msgspec.json.encode(reading(unit)).decode().replace("{", '{"temperature": 99,', 1)
    url, body = (BULK, f"[{row}]") if is_bulk else (ONE, row)

    response = client.post(url, data=body, content_type="application/json")

    assert response.status_code == 400
    assert "temperature" in response.content.decode()
    assert not Reading.objects.exists()
