"""Storing never depends on evaluation: a push is accepted though one of its units cannot be evaluated."""

import pytest
from django.db import connection
from django.utils import timezone

from alarms.models import EvaluationFailure, Excursion
from ingestion.models import Delivery
from readings.models import Reading
from tests.api_clients import client_of
from tests.factories import FacilityFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db


def test_every_reading_of_a_push_is_stored_though_a_unit_cannot_be_evaluated() -> None:
    facility = FacilityFactory()
    broken, healthy = StorageUnitFactory.create_batch(2, facility=facility)
    client = client_of(facility.customer, permissions=["write"])

    def push(temperature_c: float) -> int:
        readings = [
            {"storage_unit_id": str(unit.public_id), "temperature": temperature_c, "recorded_at": timezone.now()}
            for unit in (broken, healthy)
        ]
        status: int = client.post("/api/v1/temperature/bulk", readings, format="json").status_code
        connection.check_constraints()
        return status

    assert push(12) == 200
    Excursion.objects.filter(storage_unit=broken).update(progress={"at": "yesterday"})
    assert [push(12), push(5)] == [200, 200]
    assert Reading.objects.filter(storage_unit=broken).count() == 3
    assert set(Delivery.objects.values_list("status", flat=True)) == {"success"}
    assert EvaluationFailure.objects.get().storage_unit == broken
    assert Excursion.objects.get(storage_unit=healthy).ended_at is not None
