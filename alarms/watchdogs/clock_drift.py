"""Alarms of sensors whose clock is ahead or behind by more than their customer's limit.

Without one it is the setting MAX_CLOCK_DRIFT_SECONDS.

The readings of a clock that is ahead take effect late, those of one that is behind look older than they are; both delay
every other alarm of the unit. An alarm ends once the drift is well below the limit, so that one close to it does not
flap, when the sensor has reported nothing for a day, or when it is retired.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, FloatField, Q
from django.db.models.functions import Abs, Cast, Coalesce

from alarms.lifecycle.transitions import end, open_alarm
from alarms.models import Alarm
from alarms.thresholds import Severity
from core.db.savepoints import each_isolated
from readings.models import SensorClock
from readings.storage.sensor_clocks import SILENT_AFTER, WINDOW, measure_clocks
from readings.units.formatting import drift_text

logger = structlog.get_logger(__name__)

MAX_ALARMS_PER_RUN = 500
# Of the limit; an alarm ends below it.
CLEARS_AT = 0.8
# Only one run at a time; another one would be redundant.
CLOCKS_LOCK = 7_302_016


@transaction.atomic
def check_clocks(now: datetime) -> bool:
    """Measure the sensors' clocks, then open and end their alarms. Return False if another worker holds the lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [CLOCKS_LOCK])
        if not cursor.fetchone()[0]:
            return False
    measured = measure_clocks(now)
    _end_recovered(now)
    _open_drifting(now)
    logger.debug("clocks measured", sensors=measured)
    return True


def _open_drifting(now: datetime) -> None:
    live = Alarm.objects.filter(kind=Alarm.Kind.CLOCK_DRIFT).exclude(state=Alarm.State.CLOSED)
    drifting = (
        SensorClock.objects.annotate(drift=Abs("drift_seconds"))
        .filter(drift__gt=_limit_of("storage_unit__facility__customer"))
        .filter(measured_at__gt=now - WINDOW, storage_unit__is_synthetic=False, sensor__retired_at=None)
        .filter(storage_unit__facility__customer__is_active=True)
        .exclude(sensor__in=live.values("sensor"))
        .select_related("sensor", "storage_unit__facility")
    )
    each_isolated(
        drifting.order_by("pk")[:MAX_ALARMS_PER_RUN], lambda clock: _open(clock, now), "opening an alarm of a clock"
    )


def _open(clock: SensorClock, now: datetime) -> None:
    alarm = Alarm(
        customer_id=clock.storage_unit.facility.customer_id,
        storage_unit=clock.storage_unit,
        sensor_id=clock.sensor_id,
        kind=Alarm.Kind.CLOCK_DRIFT,
        severity=Severity.WARNING,
        started_at=clock.measured_at,
    )
    open_alarm(alarm, now, now, text=f"The clock of sensor {clock.sensor} is {drift_text(clock.drift_seconds)}.")


def _limit_of(customer: str) -> Cast:
    """Return the expression for the limit of the customer at this path."""
    limit = Coalesce(F(f"{customer}__max_clock_drift_seconds"), settings.MAX_CLOCK_DRIFT_SECONDS)
    return Cast(limit, FloatField())


def _end_recovered(now: datetime) -> None:
    live = Alarm.objects.filter(kind=Alarm.Kind.CLOCK_DRIFT).exclude(state=Alarm.State.CLOSED)
    is_right = Q(drift__lte=CLEARS_AT * _limit_of("customer"))
    is_silent = Q(sensor__clock=None) | Q(sensor__clock__measured_at__lt=now - SILENT_AFTER)
    does_not_count = Q(sensor__retired_at__isnull=False) | Q(customer__is_active=False)
    recovered = live.annotate(drift=Abs("sensor__clock__drift_seconds")).filter(is_right | is_silent | does_not_count)
    locked = recovered.select_for_update(no_key=True, of=("self",))
    each_isolated(locked, lambda alarm: end(alarm, now, now), "ending an alarm")
