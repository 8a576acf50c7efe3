"""The admin, which stays the back office: its start page tells how the system does before anything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from alarms.models import Alarm
from alarms.selectors import open_count
from core.scope import Scope
from core.web.admin import Tone
from ingestion.models import Conflict, RejectedRow
from ingestion.selectors import SourceState, counts_by_state
from readings.storage.partitions import existing_partitions
from temperature_site.health.broker import BrokerOut, queue_states
from temperature_site.health.checks import OK, Findings
from temperature_site.health.views import examiner
from temperature_site.heartbeats import watched_queues

PARTS = {
    "database": "Database",
    "rabbitmq": "Broker",
    "beat": "Beat",
    "workers": "Workers",
    "partitions": "Partitions",
}
# More messages than this wait only where workers are too few or stand still.
LONG_QUEUE = 1_000


@dataclass(frozen=True, slots=True)
class Sign:
    """One line of the start page: how a part does, and where to look further ("" for nowhere)."""

    name: str
    text: str
    tone: Tone
    link: str = ""


class BackOffice(AdminSite):
    """Django's admin with the system's health on its start page, for those who may look at sources."""

    site_title = "Temperature Monitoring"
    index_title = "Start"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        may_look = request.user.has_perm("ingestion.view_source")
        health = list(signs(timezone.now())) if may_look else []
        return super().index(request, {**(extra_context or {}), "health": health})


def signs(now: datetime) -> Iterator[Sign]:
    """How every part of the system does."""
    findings = examiner.value().findings
    yield from _parts(findings)
    yield from _queues()
    if findings.has_database:
        yield from _feeds(now)
        yield _alarms()
        yield _waiting("Rejected rows", RejectedRow)
        yield _waiting("Conflicts", Conflict)


def _parts(findings: Findings) -> Iterator[Sign]:
    for part, name in PARTS.items():
        finding: str = getattr(findings, part)
        text = f"made up to {_last_month()}" if part == "partitions" and finding == OK else finding
        yield Sign(name, text, "good" if finding == OK else "bad")


def _last_month() -> str:
    """The last month for which there is a partition, as in “2027-02”."""
    return max(existing_partitions()).removeprefix("reading_").replace("_", "-")


def _queues() -> Iterator[Sign]:
    try:
        states = queue_states(watched_queues())
    except BrokerOut:
        return  # the broker's own sign tells it
    for queue, state in states.items():
        is_long = state.messages > LONG_QUEUE
        yield Sign(f"Queue {queue}", f"{state.messages:,} waiting", "warning" if is_long else "good")


def _feeds(now: datetime) -> Iterator[Sign]:
    counts = {state.value: count for state, count in counts_by_state(Scope.everything(), now)}
    sources = reverse("admin:ingestion_source_changelist")
    tones: dict[SourceState, Tone] = {SourceState.FAILING: "bad", SourceState.LATE: "warning"}
    for state, tone in tones.items():
        count = counts.get(state.value, 0)
        yield Sign(f"Feeds {state.value}", f"{count:,}", tone if count else "good", f"{sources}?state={state.value}")


def _alarms() -> Sign:
    count = open_count(Scope.everything())
    link = f"{reverse('admin:alarms_alarm_changelist')}?state__exact={Alarm.State.OPEN.value}"
    return Sign("Alarms", f"{count:,} open", "warning" if count else "good", link)


def _waiting(name: str, model: type[RejectedRow] | type[Conflict]) -> Sign:
    count = model.objects.filter(state=model.State.WAITING).count()
    link = reverse(f"admin:ingestion_{model._meta.model_name}_changelist")
    return Sign(name, f"{count:,} waiting", "warning" if count else "good", link)
