"""The admin site, whose start page opens with the system status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib import admin, messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from typing_extensions import override

from alarms.models import Alarm
from alarms.selectors import open_count
from core.scope import Scope
from core.web.admin import Tone
from customers.access.auth_backend import staff_lacks_second_factor
from customers.access.submissions import SUBMITTED_TWICE, SubmittedBefore, claim_form
from ingestion.models import Conflict, RejectedRow, SourceSchedule
from ingestion.selectors import SourceState, counts_by_state
from readings.storage.partitions import existing_partitions
from temperature_site.health.broker import BrokerOut, queue_states
from temperature_site.health.checks import OK, CheckResults
from temperature_site.health.views import configuration_warnings, latest_report
from temperature_site.heartbeats import watched_queues

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

PARTS = {
    "database": "Database",
    "rabbitmq": "Broker",
    "beat": "Beat",
    "workers": "Workers",
    "partitions": "Partitions",
    "evaluation": "Evaluation",
    "clocks": "Clocks",
    "storing": "Storing",
    "subscriber": "MQTT subscriber",
    "sealing": "Sealing",
    "archive": "Archive",
    "notifications": "Notifications",
}


@dataclass(frozen=True, slots=True)
class StatusLine:
    """One line of the system status; `link` leads to the details, "" for none."""

    name: str
    text: str
    tone: Tone
    link: str = ""


class AdminSite(admin.AdminSite):
    """Django's admin with the system status on its start page, for people who may view sources."""

    site_title = "Temperature Monitoring"
    index_title = "Start"

    @override
    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """List the sources' schedules next to beat's own entries as well."""
        apps = super().get_app_list(request, app_label)
        schedules = [model for app in apps for model in app["models"] if model["model"] is SourceSchedule]
        for app in apps:
            if app["app_label"] == "django_celery_beat":
                app["models"] = [*app["models"], *schedules]
        return apps

    @override
    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not _lacks_second_factor(request)

    @override
    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        """Redirect to the site's own sign-in page: one entrance, with one throttle and the second factor."""
        if self.has_permission(request):
            return redirect("admin:index")
        if super().has_permission(request):
            return redirect("mfa_index")
        if request.user.is_authenticated:
            raise PermissionDenied  # the sign-in page would lead straight back here
        wanted = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        return redirect_to_login(wanted)

    @override
    def password_change(  # type: ignore[override]  # typed as a page that is rendered
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        """Redirect to the site's own page, which counts attempts to guess the current password."""
        return redirect("password-change")

    @override
    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Carry out forms that add an object once, however often they are submitted."""
        is_adding = getattr(view, "__name__", "") == "add_view"
        return super().admin_view(_once(view) if is_adding else view, cacheable)

    @override
    def index(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> TemplateResponse:
        may_view = request.user.has_perm("ingestion.view_source")
        health = list(status_lines(timezone.now())) if may_view else []
        return super().index(request, {**(extra_context or {}), "health": health})


def _lacks_second_factor(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and staff_lacks_second_factor(request.user)


def _once(view: View) -> View:
    @wraps(view)
    def carried_out_once(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        try:
            with transaction.atomic():
                claim_form(request)
                response = view(request, *args, **kwargs)
                if isinstance(response, TemplateResponse) and "adminform" in (response.context_data or {}):
                    transaction.set_rollback(True)  # nothing was added, and the form can be corrected
                return response
        except SubmittedBefore:
            messages.info(request, SUBMITTED_TWICE)
            return redirect("../")  # the list

    return cast(View, carried_out_once)


def status_lines(now: datetime) -> Iterator[StatusLine]:
    """Yield the status of every part of the system."""
    results = latest_report.value().results
    yield from _parts(results)
    yield from _queues()
    if results.has_database:
        yield from _sources(now)
        yield from (StatusLine("Configuration", text, "warning") for text in configuration_warnings(now))
        yield _alarms()
        yield _waiting("Rejected rows", RejectedRow)
        yield _waiting("Conflicts", Conflict)


def _parts(results: CheckResults) -> Iterator[StatusLine]:
    for part, name in PARTS.items():
        result: str = getattr(results, part)
        text = f"created up to {_last_month()}" if part == "partitions" and result == OK else result
        yield StatusLine(name, text, "good" if result == OK else "bad")


def _last_month() -> str:
    """Return the last month that has a partition, such as “2027-02”."""
    return max(existing_partitions()).removeprefix("reading_").replace("_", "-")


def _queues() -> Iterator[StatusLine]:
    try:
        states = queue_states(watched_queues())
    except BrokerOut:
        return  # the broker's own line says so
    for queue, state in states.items():
        yield StatusLine(f"Queue {queue}", f"{state.messages:,} waiting", "warning" if state.is_long else "good")


def _sources(now: datetime) -> Iterator[StatusLine]:
    counts = counts_by_state(Scope.everything(), now)
    sources = reverse("admin:ingestion_source_changelist")
    tones: dict[SourceState, Tone] = {SourceState.FAILING: "bad", SourceState.LATE: "warning"}
    for state, tone in tones.items():
        count = counts.get(state, 0)
        yield StatusLine(
            f"Sources {state.value}", f"{count:,}", tone if count else "good", f"{sources}?state={state.value}"
        )


def _alarms() -> StatusLine:
    count = open_count(Scope.everything())
    link = f"{reverse('admin:alarms_alarm_changelist')}?state__exact={Alarm.State.OPEN.value}"
    return StatusLine("Alarms", f"{count:,} open", "warning" if count else "good", link)


def _waiting(name: str, model: type[RejectedRow] | type[Conflict]) -> StatusLine:
    count = model.objects.filter(state=model.State.WAITING).count()
    link = reverse(f"admin:ingestion_{model._meta.model_name}_changelist")
    return StatusLine(name, f"{count:,} waiting", "warning" if count else "good", link)
