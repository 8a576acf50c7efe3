"""Webhooks of LoRaWAN network servers: ready-made mappings, and one reading for each uplink."""

from __future__ import annotations

import copy
import json

import pytest
import time_machine
from rest_framework.test import APIClient

from customers.models import StorageUnit
from ingestion.models import Delivery, Source
from readings.models import Reading
from tests.api_clients import client_of
from tests.factories import PushSourceFactory
from tests.responses import Json

pytestmark = pytest.mark.django_db

THE_THINGS_STACK: Json = {
    "end_device_ids": {
        "device_id": "freezer-7",
        "application_ids": {"application_id": "cold-rooms"},
        "dev_eui": "70B3D57ED0001234",
        "dev_addr": "260B1234",
    },
    "correlation_ids": ["as:up:01", "gs:uplink:02"],
    "received_at": "2026-11-23T10:00:01.223456789Z",
    "uplink_message": {
        "session_key_id": "AXZ9",
        "f_port": 1,
        "f_cnt": 42,
        "frm_payload": "gkHe",
        "decoded_payload": {"temperature": -18.5, "humidity": 50},
        "rx_metadata": [
            {"gateway_ids": {"gateway_id": "roof"}, "time": "2026-11-23T10:00:00.9Z", "rssi": -35},
            {"gateway_ids": {"gateway_id": "cellar"}, "rssi": -80},
        ],
        "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7}}},
        "received_at": "2026-11-23T10:00:01.023456789Z",
    },
}
CHIRPSTACK: Json = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2026-11-23T10:00:01.023456+00:00",
    "deviceInfo": {
        "applicationName": "cold-rooms",
        "deviceName": "freezer 7",
        "devEui": "70b3d57ed0001234",
        "tags": {},
    },
    "devAddr": "00189440",
    "dr": 1,
    "fCnt": 42,
    "fPort": 1,
    "data": "gkHe",
    "object": {"temperature": -18.5, "humidity": 50},
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -57}, {"gatewayId": "0016c001f1500812", "rssi": -80}],
    "txInfo": {"frequency": 868100000},
}


@pytest.fixture(params=[("the_things_stack", THE_THINGS_STACK), ("chirpstack", CHIRPSTACK)], ids=lambda each: each[0])
def server(request: pytest.FixtureRequest) -> tuple[Source, Json, APIClient]:
    """Return a source of messages of a network server, one of its uplinks, and a client with the source's token."""
    message_format, message = request.param
    source = PushSourceFactory(message_format=message_format)
    client = client_of(source.customer, permissions=["write"], source_public_id=source.public_id)
    return source, copy.deepcopy(message), client


def sent(client: APIClient, source: Source, message: Json) -> Json:
    response = client.post(f"/api/v1/ingest/{source.public_id}", json.dumps(message), content_type="application/json")
    assert response.status_code == 200, response.content
    outcome: Json = response.json()
    return outcome


def test_an_uplink_is_a_reading_of_its_device(server: tuple[Source, Json, APIClient]) -> None:
    source, message, client = server

    assert sent(client, source, message)["stored"] == 1

    reading = Reading.objects.get()
    assert (reading.temperature_c, reading.recorded_at.isoformat()) == (-18.5, "2026-11-23T10:00:01.023456+00:00")
    unit = StorageUnit.objects.get()
    assert unit.facility.facility_code == "cold-rooms"
    assert unit.unit_code in ("freezer-7", "70b3d57ed0001234")


def test_copies_by_other_gateways_are_folded(server: tuple[Source, Json, APIClient]) -> None:
    source, message, client = server
    sent(client, source, message)
    if source.message_format == "chirpstack":
        message |= {"deduplicationId": "another", "time": "2026-11-23T10:00:01.923456+00:00"}
    else:
        message["uplink_message"]["received_at"] = "2026-11-23T10:00:01.923456789Z"

    outcome = sent(client, source, message)

    assert (outcome["status"], outcome["stored"], Reading.objects.count()) == ("success", 0, 1)
    assert "received before" in outcome["notes"][0]


def test_the_next_uplink_and_a_restarted_counter_are_not(server: tuple[Source, Json, APIClient]) -> None:
    source, message, client = server
    holder, count, time = (
        (message, "fCnt", "time") if "fCnt" in message else (message["uplink_message"], "f_cnt", "received_at")
    )
    sent(client, source, message)
    holder |= {count: 43, time: "2026-11-23T10:05:01.023456+00:00"}
    assert sent(client, source, message)["stored"] == 1

    holder |= {count: 42, time: "2026-11-24T10:00:01.023456+00:00"}
    with time_machine.travel("2026-12-24T10:00:02Z", tick=False):
        assert sent(client, source, message)["stored"] == 1


def test_other_messages_are_passed_over(server: tuple[Source, Json, APIClient]) -> None:
    source, message, client = server
    del message["rxInfo" if source.message_format == "chirpstack" else "uplink_message"]

    outcome = sent(client, source, message)

    assert (outcome["status"], outcome["received"]) == ("success", 0)
    assert "no uplink" in outcome["notes"][0]


def test_an_uplink_without_the_temperature_names_the_setting(server: tuple[Source, Json, APIClient]) -> None:
    source, message, client = server
    holder = message if "object" in message else message["uplink_message"]
    name = "object" if "object" in message else "decoded_payload"
    holder[name] = {"TempC_SHT": 4.5}

    outcome = sent(client, source, message)
    assert (outcome["status"], Delivery.objects.get().records_processed) == ("partial", 0)
    assert "temperature field" in outcome["message"]

    path = ("" if name == "object" else "uplink_message.") + f"{name}.TempC_SHT"
    Source.objects.update(temperature_field=path)
    assert sent(client, source, message)["stored"] == 1
