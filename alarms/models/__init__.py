"""What readings mean: limits, excursions, alarms and who is told of them."""

from alarms.models.alarms import Alarm, AlarmEvent, MaintenanceWindow, SensorFault
from alarms.models.excursions import Excursion, MktCheck
from alarms.models.limits import LimitProfile, LimitVersion, UnitLimits

__all__ = [
    "Alarm",
    "AlarmEvent",
    "Excursion",
    "LimitProfile",
    "LimitVersion",
    "MaintenanceWindow",
    "MktCheck",
    "SensorFault",
    "UnitLimits",
]
