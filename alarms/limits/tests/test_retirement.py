"""A retirement and what follows from it are stored together."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from alarms.limits.retirement import retire, return_to_service
from alarms.models import Reevaluation
from customers.models import Sensor
from readings.models import RollupRebuild
from tests.factories import SensorFactory


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
