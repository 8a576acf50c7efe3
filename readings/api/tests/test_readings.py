"""Lists of readings over the REST API: pages, cursors, filters and formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customers.models import Customer, StorageUnit
from readings.lists.representation import ReadingSerializer
from readings.storage.rollups import rebuild
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    SensorFactory,
    StorageUnitFactory,
    make_token,
    sensor_of,
    store_reading,
    store_readings,
    withdraw_readings,
)
from tests.responses import Json

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 20, tzinfo=UTC)
FIELDS = list(ReadingSerializer().fields)
LIST = "/api/v1/temperature"


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


@pytest.fixture
def client(customer: Customer) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(customer)[1]}")
    return client


@pytest.fixture
def unit(customer: Customer) -> StorageUnit:
    return StorageUnitFactory(facility=FacilityFactory(customer=customer, name="Oxford"), name="Room 1")


def fetch(client: APIClient, path: str = LIST, **query: object) -> Json:
    response = client.get(f"{path}?{urlencode(query)}")
    assert response.status_code == 200, response.content
    return response.json()


def temperatures(page: Json) -> list[float | None]:
    return [item["temperature"] for item in page["items"]]


def test_a_reading_has_every_field_of_the_contract(client: APIClient, unit: StorageUnit) -> None:
    store_reading(unit, 5.0, START, sensor=SensorFactory(storage_unit=unit, sensor_code="S1"), scale="F")
    [reading] = fetch(client)["items"]
    assert list(reading) == FIELDS
    assert reading | {"id": "", "created_at": ""} == {
        "id": "",
        "customer_id": str(unit.facility.customer.public_id),
        "facility_id": str(unit.facility.public_id),
        "storage_unit_id": str(unit.public_id),
        "facility_name": "Oxford",
        "unit_name": "Room 1",
        "temperature": 41.0,
        "temperature_unit": "F",
        "recorded_at": "2026-11-20T00:00:00Z",
        "sensor_id": "S1",
        "quality_score": 1.0,
        "equipment_status": "normal",
        "created_at": "",
    }


def test_a_fault_is_a_reading_without_a_temperature(client: APIClient, unit: StorageUnit) -> None:
    store_reading(unit, None, START)
    assert temperatures(fetch(client)) == [None]


def test_an_empty_list_is_one_empty_page(client: APIClient, unit: StorageUnit) -> None:
    assert fetch(client) == {
        "items": [], "total": 0, "page": 1, "page_size": 100, "pages": 0, "next": None, "previous": None,
    }  # fmt: skip


def test_pages_by_offset(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, range(10), start=START)
    page = fetch(client, limit=3, offset=3)
    assert temperatures(page) == [6.0, 5.0, 4.0]
    assert (page["total"], page["page"], page["page_size"], page["pages"]) == (10, 2, 3, 4)
    assert fetch(client, limit=3, offset=99)["items"] == []


def test_next_leads_through_the_whole_list_and_previous_back(
    client: APIClient, customer: Customer, unit: StorageUnit
) -> None:
    other = StorageUnitFactory(facility=unit.facility)
    store_readings(unit, range(10), start=START)
    store_readings(unit, range(20, 25), start=START, sensor=SensorFactory(storage_unit=unit))
    store_readings(other, range(30, 40), start=START - timedelta(days=90), every=timedelta(days=9))
    pages = [fetch(client, limit=4)]
    while pages[-1]["next"]:
        pages.append(client.get(pages[-1]["next"]).json())
    seen = [temperature for page in pages for temperature in temperatures(page)]
    assert len(seen) == len(set(seen)) == 25
    assert [page["page"] for page in pages] == [1, 2, 3, 4, 5, 6, 7]
    times = [item["recorded_at"] for page in pages for item in page["items"]]
    assert times == sorted(times, reverse=True)
    back = [pages[-1]]
    while back[-1]["previous"]:
        back.append(client.get(back[-1]["previous"]).json())
    assert [page["items"] for page in reversed(back)] == [page["items"] for page in pages]
    assert [page["page"] for page in back] == [7, 6, 5, 4, 3, 2, 1]


def test_withdrawn_readings_above_a_page_hide_none_below_it(client: APIClient, unit: StorageUnit) -> None:
    """Following `next` misses nothing, although fewer readings are left than were passed already."""
    store_readings(unit, range(10), start=START - timedelta(days=60))
    store_readings(unit, range(10, 30), start=START - timedelta(days=20))
    store_readings(unit, range(30, 70), start=START)
    page = fetch(client, limit=60)
    assert temperatures(page)[-1] == 10.0
    withdraw_readings(unit, START, START + timedelta(days=1))
    rebuild([unit.pk])
    store_readings(unit, [9.5], start=START - timedelta(days=21))

    rest = client.get(page["next"]).json()
    assert temperatures(rest) == [9.5, *map(float, reversed(range(10)))]


def test_a_full_last_page_has_no_next(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, range(4), start=START)
    page = fetch(client, limit=2)
    page = client.get(page["next"]).json()
    assert (temperatures(page), page["next"]) == ([1.0, 0.0], None)


def test_new_readings_while_paging_neither_repeat_nor_hide_rows(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, range(10), start=START)
    page = fetch(client, limit=5)
    store_readings(unit, range(100, 110), start=START + timedelta(days=1))
    page = client.get(page["next"]).json()
    assert temperatures(page) == [4.0, 3.0, 2.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"start_date": "2026-11-20T00:30:00Z"}, [5, 4, 3, 2]),
        ({"end_date": "2026-11-20T00:30:00"}, [2, 1, 0]),
        ({"start_date": "2026-11-20T01:15:00+01:00", "end_date": "2026-11-20T00:45:00Z"}, [3, 2, 1]),
        ({"end_date": "2026-11-19"}, []),
        ({"start_date": "2026-11-20", "end_date": "2026-11-20"}, [5, 4, 3, 2, 1, 0]),
        ({"min_temperature": 4}, [5, 4]),
        ({"max_temperature": "1.0"}, [1, 0]),
        ({"min_temperature": "35.6", "max_temperature": "37.4", "temperature_unit": "F"}, [3, 2]),
        ({"min_temperature": "-1e1"}, [5, 4, 3, 2, 1, 0]),
        ({"sensor_id": "S1"}, [5, 4, 3, 2, 1, 0]),
        ({"sensor_id": "S2"}, []),
        ({"equipment_status": "normal"}, [5, 4, 3, 2, 1, 0]),
        ({"equipment_status": "error"}, []),
        ({"equipment_status": "never seen"}, []),
        ({"quality_score": 1}, [5, 4, 3, 2, 1, 0]),
        ({"quality_score": 0.5}, []),
        ({"min_quality_score": 1.0}, [5, 4, 3, 2, 1, 0]),
        ({"min_temperature": 2, "limit": 1}, [5]),
    ],
)
@pytest.mark.parametrize("path", [LIST, "/api/v1/temperature/facility/{facility}", "/api/v1/temperature/unit/{unit}"])
def test_every_list_can_be_filtered_and_counts_what_it_lists(
    client: APIClient, unit: StorageUnit, path: str, query: dict[str, object], expected: list[int]
) -> None:
    store_readings(unit, map(float, range(6)), start=START, sensor=SensorFactory(storage_unit=unit, sensor_code="S1"))
    page = fetch(client, path.format(facility=unit.facility.public_id, unit=unit.public_id), **query)
    assert temperatures(page) == expected
    assert page["total"] == (4 if "limit" in query else len(expected))


def test_a_filter_by_status_and_quality(client: APIClient, unit: StorageUnit) -> None:
    store_reading(unit, 1.0, START, quality_score=0.5, equipment_status_id=3)
    store_reading(unit, 2.0, START + timedelta(minutes=1))
    assert temperatures(fetch(client, equipment_status="Error")) == [1.0]
    assert temperatures(fetch(client, quality_score=0.5)) == [1.0]
    assert temperatures(fetch(client, min_quality_score=0.6)) == [2.0]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=1001", "limit=5000", "limit=abc", "limit=1e9", "limit=1.0", "limit=",
        "limit=%00", f"limit={10**30}", "limit=٣", "offset=-1", "offset=x", f"offset={2**64}",
        "start_date=yesterday", "end_date=2026-13-01", "start_date=0001-01-01T00:00:00%2B14:00",
        "start_date=2026-11-20&end_date=2026-11-19", "start_date=%ff", "start_date=9999-12-31T23:59:59-14:00",
        "min_temperature=NaN", "min_temperature=inf", "max_temperature=1e999", "min_temperature=5&max_temperature=4",
        "temperature_unit=ZZ", "quality_score=2", "min_quality_score=-0.1", "sensor_id=%00", "equipment_status=%00",
        "cursor=x", "cursor=AAAA", "cursor=%C3%A9", "cursor=" + "A" * 34, "cursor=" + "_" * 34, "format=xml",
        "sensor_id=" + "x" * 2000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [LIST, LIST + "/latest"])
def test_an_invalid_parameter_is_422(client: APIClient, unit: StorageUnit, query: str, path: str) -> None:
    if path != LIST and query.startswith(("offset", "cursor")):
        return
    response = client.get(f"{path}?{query}")
    assert response.status_code == 422, response.content
    assert query.partition("=")[0] in response.json()["detail"] or "&" in query


@pytest.mark.parametrize("change", range(34))
def test_a_modified_cursor_is_a_page_or_422(client: APIClient, unit: StorageUnit, change: int) -> None:
    store_readings(unit, range(10), start=START)
    following = fetch(client, limit=3)["next"]
    base, _, cursor = following.rpartition("cursor=")
    for letter in "A_z":
        response = client.get(f"{base}cursor={cursor[:change]}{letter}{cursor[change + 1 :]}")
        assert response.status_code in (200, 422)


def test_a_space_for_an_unescaped_plus_is_accepted(client: APIClient, unit: StorageUnit) -> None:
    store_reading(unit, 1.0, START)
    assert client.get(f"{LIST}?start_date=2026-11-20T00:00:00+00:00").json()["total"] == 1


def test_latest_returns_one_reading_per_unit_newest_first(
    client: APIClient, customer: Customer, unit: StorageUnit
) -> None:
    other = StorageUnitFactory(facility=unit.facility)
    store_readings(unit, [1.0, 2.0], start=START)
    store_readings(other, [3.0, 4.0], start=START + timedelta(hours=1))
    latest = fetch(client, "/api/v1/temperature/latest")
    assert [reading["temperature"] for reading in latest] == [4.0, 2.0]
    assert [reading["temperature"] for reading in fetch(client, "/api/v1/temperature/latest", limit=1)] == [4.0]


def test_another_customers_facility_and_unit_are_not_found(client: APIClient) -> None:
    foreign = StorageUnitFactory()
    store_reading(foreign, 1.0, START)
    for path in (f"unit/{foreign.public_id}", f"facility/{foreign.facility.public_id}", "unit/no-uuid"):
        response = client.get(f"/api/v1/temperature/{path}")
        assert (response.status_code, list(response.json())) == (404, ["detail"])
    assert fetch(client)["items"] == []


def test_a_token_limited_to_units_reads_only_their_readings(customer: Customer, unit: StorageUnit) -> None:
    hidden = StorageUnitFactory(facility=unit.facility)
    store_reading(unit, 1.0, START)
    store_reading(hidden, 2.0, START)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(customer, units=[unit])[1]}")
    assert temperatures(fetch(client)) == [1.0]
    assert temperatures(fetch(client, f"/api/v1/temperature/facility/{unit.facility.public_id}")) == [1.0]
    assert client.get(f"/api/v1/temperature/unit/{hidden.public_id}").status_code == 404


def streamed(
    client: APIClient, path: str = LIST, headers: Mapping[str, str] | None = None, **query: Any
) -> tuple[str, str]:
    response = client.get(f"{path}?{urlencode(query)}", headers=headers)
    assert response.status_code == 200
    assert response.streaming
    return response["Content-Type"], response.getvalue().decode()


@pytest.mark.parametrize("requested", [{"format": "csv"}, {"headers": {"Accept": "text/csv"}}])
def test_csv_streams_all_rows_and_escapes_formulas(
    client: APIClient, unit: StorageUnit, requested: dict[str, Any]
) -> None:
    unit.name, unit.facility.name = "=cmd()", "-Freezers"
    unit.save()
    unit.facility.save()
    store_readings(unit, [-18.5, None], start=START, sensor=SensorFactory(storage_unit=unit, sensor_code="-5"))
    content_type, text = streamed(client, **requested)
    assert content_type == "text/csv; charset=utf-8"
    newest, oldest = list(csv.DictReader(io.StringIO(text)))
    assert list(newest) == FIELDS
    assert (oldest["temperature"], newest["temperature"]) == ("-18.5", "")
    assert (newest["unit_name"], newest["facility_name"], newest["sensor_id"]) == ("'=cmd()", "'-Freezers", "-5")
    assert oldest["recorded_at"] == "2026-11-20T00:00:00+00:00"


def test_ndjson_has_the_same_readings_as_the_page(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, range(5), start=START)
    content_type, text = streamed(client, headers={"Accept": "application/x-ndjson"})
    assert content_type == "application/x-ndjson; charset=utf-8"
    assert [json.loads(line) for line in text.splitlines()] == fetch(client)["items"]


def test_a_stream_is_complete_unless_it_has_a_limit(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, [5.0] * 4_500, start=START, every=timedelta(minutes=1))
    assert len(streamed(client, format="csv")[1].splitlines()) == 4_501
    assert len(streamed(client, format="csv", limit=7)[1].splitlines()) == 8
    assert len(streamed(client, format="ndjson", sensor_id=sensor_of(unit).sensor_code)[1].splitlines()) == 4_500


def test_a_stream_from_an_offset_or_a_cursor_has_all_that_follows(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, [5.0] * 2_500, start=START, every=timedelta(minutes=1))
    everything = streamed(client, format="ndjson")[1].splitlines()
    [cursor] = parse_qs(urlsplit(fetch(client, limit=5)["next"]).query)["cursor"]

    assert streamed(client, format="ndjson", offset=5)[1].splitlines() == everything[5:]
    assert streamed(client, format="ndjson", cursor=cursor)[1].splitlines() == everything[5:]


@pytest.mark.parametrize("response_format", ["json", "csv", "ndjson"])
@pytest.mark.parametrize(("name", "count"), [("min_temperature", 0), ("max_temperature", 2)])
def test_a_filter_far_above_any_temperature_gives_the_same_in_every_format(
    client: APIClient, unit: StorageUnit, response_format: str, name: str, count: int
) -> None:
    """1e308 °F is finite, although it overflows on the way to °C; an export is recorded with its filter."""
    store_readings(unit, [1.0, 2.0], start=START)
    response = client.get(f"{LIST}?format={response_format}&{name}=1e308&temperature_unit=F")
    assert response.status_code == 200
    text = response.getvalue().decode() if response.streaming else response.content.decode()
    assert text.count(str(unit.public_id)) == count


def test_an_empty_csv_stream_has_a_header(client: APIClient, unit: StorageUnit) -> None:
    assert streamed(client, format="csv")[1].strip() == ",".join(FIELDS)
    assert streamed(client, format="ndjson")[1] == ""


def test_an_error_of_a_stream_is_json(client: APIClient, unit: StorageUnit) -> None:
    response = client.get(f"{LIST}?format=csv&start_date=x")
    assert (response.status_code, response["Content-Type"]) == (422, "application/json")


def test_an_unavailable_format_is_406(client: APIClient, unit: StorageUnit) -> None:
    assert client.get(LIST, headers={"Accept": "application/pdf"}).status_code == 406


def test_an_admin_lists_their_own_customer_and_reads_all_by_id(customer: Customer, unit: StorageUnit) -> None:
    foreign = StorageUnitFactory()
    store_reading(unit, 1.0, START)
    store_reading(foreign, 2.0, START)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(customer, permissions=['admin'])[1]}")
    assert temperatures(fetch(client)) == [1.0]
    assert temperatures(fetch(client, f"/api/v1/temperature/unit/{foreign.public_id}")) == [2.0]


@pytest.mark.parametrize("path", [LIST, LIST + "/latest", LIST + "/unit/{unit}", LIST + "/facility/{facility}"])
@pytest.mark.parametrize("query", ["", "?start_date=2026-11-20T00:07:00Z", "?min_temperature=0"])
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
    client: APIClient,
    customer: Customer,
    unit: StorageUnit,
    path: str,
    query: str,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    url = path.format(unit=unit.public_id, facility=unit.facility.public_id) + query
    store_readings(unit, [1.0] * 3, start=START)
    client.get(url)
    with django_assert_max_num_queries(7) as few:
        client.get(url)
    for more in StorageUnitFactory.create_batch(15, facility=unit.facility):
        store_readings(more, [1.0] * 40, start=START)
    with django_assert_num_queries(len(few)):
        client.get(url)
