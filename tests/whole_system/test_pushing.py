"""The benchmark of pushes sends readings that are all new and all accepted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.test import APIClient

from benchmarks.at_scale.pushes import EVERY, Fleet, Pushes
from benchmarks.at_scale.pushing import make_fleet, note_on
from benchmarks.measuring.load import Load
from readings.models import Reading

DEVICES = 4


@pytest.mark.django_db
@pytest.mark.parametrize(("devices", "rows", "status"), [(1, 1, 201), (2, 3, 200)])
def test_every_push_stores_its_readings(devices: int, rows: int, status: int) -> None:
    pushes = Pushes(80, make_fleet(DEVICES), datetime.now(UTC) - timedelta(hours=1), devices, rows)
    # Two turns of all devices.
    count = 2 * DEVICES // devices
    for number in range(count):
        request = pushes(number)
        client = APIClient(headers=dict(header.split(": ", 1) for header in request.headers))
        answer = client.post(request.path, request.body, content_type="application/json")
        assert answer.status_code == status, answer.json()
    assert Reading.objects.count() == count * pushes.readings == 2 * DEVICES * rows


def test_a_device_measures_every_twenty_seconds() -> None:
    pushes = Pushes(80, Fleet(["a", "b", "c", "d"], ["token"]), datetime(2026, 3, 1, tzinfo=UTC), 2, 3)
    times = [row["recorded_at"] for row in json.loads(pushes(2).body)]
    assert times[0] == (pushes.start + 3 * EVERY).isoformat()
    assert len(set(times)) == 3


def test_a_line_says_how_many_devices_are_served() -> None:
    note = note_on(Load(100.0, 0.01, 0.02, 10), 1_000.0, 50)
    assert note == "100.0 requests/s, 0.100 of ping, p99 20 ms; 100,000 devices; 1.50 of ThingsBoard"
