"""Storing never depends on evaluation: a push is accepted though one of its units cannot be evaluated."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from alarms.evaluation.tests.test_evaluate import make_unit
from alarms.models import EvaluationFailure, Excursion, UnitLimits
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


def test_pushes_are_accepted_after_limits_changed_while_a_budget_was_exceeded() -> None:
    unit = make_unit(allowed_seconds=2, allowed_window_seconds=86_400)
    client = client_of(unit.facility.customer, permissions=["write"])
    # As if sent by a clock that is a little fast, so that the limits change between the two pushes' readings.
    begin = timezone.now() - timedelta(seconds=30)

    def push(first: int, *temperatures_c: float) -> int:
        readings = [
            {
                "storage_unit_id": str(unit.public_id),
                "temperature": temperature_c,
                "recorded_at": begin + timedelta(seconds=first + number),
            }
            for number, temperature_c in enumerate(temperatures_c)
        ]
        status: int = client.post("/api/v1/temperature/bulk", readings, format="json").status_code
        connection.check_constraints()
        return status

    statuses = [push(0, 12, 12, 12, 12, 12)]
    chosen = UnitLimits.objects.get(storage_unit=unit)
    chosen.clearing_delay_seconds = 60
    chosen.save()
    statuses += [push(35, 12, 12, 12, 12), push(39, 5, 5), push(41, 5)]
    assert statuses == [200] * 4
    assert not EvaluationFailure.objects.exists()
    budgets = Excursion.objects.filter(kind=Excursion.Kind.BUDGET).order_by("started_at")
    changed_at = unit.limit_versions.latest("valid_from").valid_from
    assert list(budgets.values_list("started_at", "ended_at")) == [
        (begin + timedelta(seconds=2), changed_at),
        (changed_at, None),
    ]
