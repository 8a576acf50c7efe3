"""Entries of the audit trail: the history of one object, and the search through all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import or_
from zoneinfo import ZoneInfo

from django.db.models import Model, Q, QuerySet

from audit.models import AuditEntry
from core.scope import Scope
from customers.models import Membership, StorageUnit

UTC = ZoneInfo("UTC")
SIGN_INS = (
    AuditEntry.Action.SIGNED_IN,
    AuditEntry.Action.SIGN_IN_FAILED,
    AuditEntry.Action.SIGNED_OUT,
)


@dataclass(frozen=True, slots=True)
class TrailFilter:
    """What is searched for; "" and None mean no condition. Days are of UTC, `until` is included."""

    text: str = ""
    customer_id: int | None = None
    action: str = ""
    actor_kind: str = ""
    since: date | None = None
    until: date | None = None


def search(scope: Scope, wanted: TrailFilter) -> QuerySet[AuditEntry]:
    """Return the visible entries that match, newest first. What belongs to no customer is seen by the operator only."""
    entries: QuerySet[AuditEntry] = AuditEntry.objects.visible_to(scope)
    if wanted.customer_id is not None:
        entries = entries.filter(customer_id=wanted.customer_id)
    if wanted.action:
        entries = entries.filter(action=wanted.action)
    if wanted.actor_kind:
        entries = entries.filter(actor_kind=wanted.actor_kind)
    if wanted.since is not None:
        entries = entries.filter(happened_at__gte=_start_of(wanted.since))
    if wanted.until is not None:
        entries = entries.filter(happened_at__lt=_start_of(wanted.until + timedelta(days=1)))
    return entries.filter(_contains(wanted.text)) if wanted.text else entries


def history_of(*rows: Model) -> QuerySet[AuditEntry]:
    """Return the entries about one row, or several that belong together, newest first."""
    about = (Q(model=row._meta.label_lower, object_id=str(row.pk)) for row in rows)
    return AuditEntry.objects.filter(reduce(or_, about)).order_by("-id")


def history_of_unit(unit: StorageUnit) -> QuerySet[AuditEntry]:
    """Return the entries about a unit and what belongs to it: limits, sensors, alarms, maintenance, conflicts."""
    return AuditEntry.objects.filter(storage_unit_id=unit.pk).order_by("-id")


def history_of_member(member: Membership) -> QuerySet[AuditEntry]:
    """Return what happened to a member, what they did for this customer, and when they signed in."""
    about = Q(person_id=member.user_id)
    of_customer = Q(customer_id=member.customer_id)
    done = Q(actor_kind=AuditEntry.ActorKind.PERSON, actor_id=member.user_id)
    sign_in = Q(action__in=SIGN_INS, customer_id=None)
    return AuditEntry.objects.filter((of_customer & (about | done)) | (about & sign_in)).order_by("-id")


def latest_labels(ids: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], str]:
    """Return the latest recorded names of objects, also of deleted ones, by model and id. One query."""
    about = [Q(model=model, object_id__in=list(object_ids)) for model, object_ids in ids.items()]
    if not about:
        return {}
    named = AuditEntry.objects.filter(reduce(or_, about)).exclude(object_label="")
    latest = named.order_by("model", "object_id", "-id").distinct("model", "object_id")
    return {
        (model, object_id): label
        for model, object_id, label in latest.values_list("model", "object_id", "object_label")
    }


def _contains(text: str) -> Q:
    """Return the condition that an entry names `text`."""
    names = ("actor_name", "actor_display_name", "object_label", "reason", "model")
    condition = Q(object_id=text)
    for name in names:
        condition |= Q(**{f"{name}__icontains": text})
    return condition


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
