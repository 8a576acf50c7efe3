"""Models of limits, excursions, alarms and notifications."""

from alarms.models.alarms import Alarm, AlarmEvent, MaintenanceWindow, SensorFault
from alarms.models.channels import Channel, Rule
from alarms.models.evaluation import EvaluationFailure
from alarms.models.excursions import Excursion, MktCheck, Reevaluation
from alarms.models.limits import CustomerLimits, LimitProfile, LimitVersion, UnitLimits
from alarms.models.notifications import Attempt, Drill, DrillSchedule, Message
from alarms.models.signatures import AlarmSignature

__all__ = [
    "Alarm",
    "AlarmEvent",
    "AlarmSignature",
    "Attempt",
    "Channel",
    "CustomerLimits",
    "Drill",
    "DrillSchedule",
    "EvaluationFailure",
    "Excursion",
    "LimitProfile",
    "LimitVersion",
    "MaintenanceWindow",
    "Message",
    "MktCheck",
    "Reevaluation",
    "Rule",
    "SensorFault",
    "UnitLimits",
]
