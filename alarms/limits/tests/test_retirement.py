"""A retirement and what follows from it are stored together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from alarms.evaluation.reevaluation import run_reevaluations
from alarms.limits.retirement import retire, return_to_service
from alarms.models import Reevaluation
from customers.models import Sensor
from readings.models import RollupRebuild
from tests.factories import SensorFactory
from tests.races import race


class StoppedError(Exception):
    """The process ends here."""


def retire_now(sensor: Sensor) -> None:
    retire(sensor, timezone.now(), by="anna")


def return_now(sensor: Sensor) -> None:
    return_to_service(sensor, by="anna")


# Actions of the admin retire sensors without a transaction.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [retire_now, return_now])
def test_nothing_is_requested_before_the_sensor_is_saved(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Sensor], None]
) -> None:
    """A task that ran in between would rebuild and evaluate the unit as it was, and take the requests away."""
    sensor = SensorFactory(retired_at=timezone.now() if change is return_now else None)

    def stop(*_: object, **__: object) -> None:
        raise StoppedError

    monkeypatch.setattr(Sensor, "_save_table", stop)
    with pytest.raises(StoppedError):
        change(sensor)
    assert not RollupRebuild.objects.exists()
    assert not Reevaluation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_return_while_the_unit_is_evaluated_again_has_it_evaluated_once_more() -> None:
    sensor = SensorFactory(retired_at=timezone.now())
    Reevaluation.objects.all().delete()
    Reevaluation.request(sensor.storage_unit_id, timezone.now() - timedelta(days=1), Reevaluation.Reason.UPDATE)

    race(run_reevaluations, lambda: return_now(sensor))

    assert Reevaluation.objects.filter(storage_unit=sensor.storage_unit_id).exists()
