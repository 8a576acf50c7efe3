"""The factories create valid rows, which pass the models' own checks."""

from __future__ import annotations

import pytest
from django.db.models import Model

from readings.models import LatestReading
from tests import alarm_factories, factories
from tests.factories import ModelFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "make",
    [
        factories.UserFactory,
        factories.StaffFactory,
        factories.CustomerFactory,
        factories.FacilityFactory,
        factories.StorageUnitFactory,
        factories.SensorFactory,
        factories.MembershipFactory,
        factories.SourceFactory,
        factories.DeliveryFactory,
        factories.RejectedRowFactory,
        factories.ConflictFactory,
        alarm_factories.AlarmFactory,
        alarm_factories.SourceAlarmFactory,
        alarm_factories.ExcursionFactory,
        alarm_factories.ChannelFactory,
        alarm_factories.WebhookChannelFactory,
        alarm_factories.RuleFactory,
        alarm_factories.MaintenanceWindowFactory,
        alarm_factories.MessageFactory,
        alarm_factories.NoDataAlarmFactory,
        alarm_factories.ClosedAlarmFactory,
        alarm_factories.LimitProfileFactory,
    ],
)
def test_a_factory_makes_valid_rows(make: type[ModelFactory[Model]]) -> None:
    for row in make.create_batch(2):
        # What code alone writes is null in the database without being blank in a form.
        empty = [field.name for field in row._meta.fields if field.null and field.value_from_object(row) is None]
        row.full_clean(exclude=empty)


def test_a_conflict_is_of_the_customer_that_sent_it() -> None:
    conflict = factories.ConflictFactory()
    assert conflict.delivery is not None
    assert conflict.delivery.customer == conflict.storage_unit.facility.customer


def test_stored_readings_reach_the_latest_reading(db: None) -> None:
    unit = factories.StorageUnitFactory()
    assert factories.store_reading(unit, 4.5).stored == 1
    assert LatestReading.objects.get(storage_unit=unit).temperature_c == 4.5
