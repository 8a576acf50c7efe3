"""The pages of feeds: how readings arrive, and what waits for a person's decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.web.pages import list_page
from customers.access.page_principal import page_principal, refuse_unless
from customers.access.principal import Principal
from customers.models import Customer
from ingestion.loading import conflicts, replay
from ingestion.models import Conflict, RejectedRow, Source
from ingestion.polling import claims
from ingestion.selectors import (
    Feed,
    ShownConflict,
    SourceState,
    conflicts_of,
    counts_by_state,
    deliveries_of,
    feeds,
    list_feeds,
    rejected_rows_of,
    with_state,
)
from ingestion.sources.credentials import redact_url

FEEDS_A_PAGE = 100
ROWS_A_PAGE = 25
# A request must end before its time is up: what is more is decided by the next one.
MOST_AT_ONCE = 5_000


@require_safe
@never_cache
@login_required
def feeds_page(request: HttpRequest) -> HttpResponse:
    """Every source the caller may see, the worst first; `?customer=`, `?state=` and `?text=` narrow it."""
    scope = page_principal(request).scope
    customers = Customer.objects.visible_to(scope)
    customer_code = request.GET.get("customer", "")
    if customer_code:
        get_object_or_404(customers, customer_code=customer_code)
    now = timezone.now()
    text = request.GET.get("text", "").strip()
    state = request.GET.get("state", "")
    found = feeds(scope, now, customer_code=customer_code, state=state, text=text)
    listed = list_page(request, found, FEEDS_A_PAGE)
    context = {
        "list": listed,
        "feeds": list_feeds(listed.rows, now),
        "counts": counts_by_state(scope, now, customer_code),
        "customers": list(customers.values_list("customer_code", "name")),
        "chosen": {"customer": customer_code, "state": state, "text": text},
        "states": SourceState.values,
        "now": now,
    }
    return render(request, "ingestion/feeds.html", context)


@require_safe
@never_cache
@login_required
def feed_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One source: its state, its deliveries, and its rejected rows and conflicts in the states asked for."""
    now = timezone.now()
    principal, source = _source_of(request, public_id)
    rejected_state = _state_asked(request, "rejected", RejectedRow.State)
    conflict_state = _state_asked(request, "conflicts", Conflict.State)
    shown_conflicts = list_page(request, conflicts_of(source, conflict_state), ROWS_A_PAGE, "conflicts_page")
    context = {
        "feed": Feed(source, now),
        "address": redact_url(source.url),
        "may_operate": principal.may_operate(source.customer_id),
        "may_manage": principal.may_manage(source.customer_id),
        "deliveries": list_page(request, deliveries_of(source), ROWS_A_PAGE, "deliveries_page"),
        "rejected": list_page(request, rejected_rows_of(source, rejected_state), ROWS_A_PAGE, "rejected_page"),
        "rejected_state": rejected_state,
        "rejected_states": RejectedRow.State.values,
        "conflicts": shown_conflicts,
        "shown_conflicts": [ShownConflict(conflict) for conflict in shown_conflicts.rows],
        "conflict_state": conflict_state,
        "conflict_states": Conflict.State.values,
        "now": now,
    }
    return render(request, "ingestion/feed.html", context)


@require_POST
@login_required
def change_schedule(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Poll the source now (operators), or pause or resume it (managers), by `action`."""
    principal, source = _source_of(request, public_id)
    action = request.POST.get("action")
    chosen = Source.objects.filter(pk=source.pk)
    if action == "poll":
        refuse_unless(principal.may_operate(source.customer_id))
        said = "It will be polled within seconds." if claims.poll_now(chosen) else "A paused source is not polled."
    elif action in ("pause", "resume"):
        refuse_unless(principal.may_manage(source.customer_id))
        changed = claims.pause(chosen) if action == "pause" else claims.resume(chosen)
        said = (
            f"The source is {'paused' if action == 'pause' else 'polled again'}." if changed else "It was so already."
        )
    else:
        return HttpResponseBadRequest("action must be poll, pause or resume.")
    messages.success(request, said)
    return _back(request, source)


@require_POST
@login_required
def decide_rejected_rows(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Replay or dismiss, by `action`, the chosen `row`s of the source, or all that wait with `all`."""
    principal, source = _source_of(request, public_id)
    refuse_unless(principal.may_operate(source.customer_id))
    rows = _chosen(request, rejected_rows_of(source, RejectedRow.State.WAITING))
    by = principal.name
    if request.POST.get("action") == "replay":
        result = replay.replay(rows, by=by)
        messages.success(request, f"Rows replayed: {result.replayed:,}; rejected again: {result.still_rejected:,}.")
    elif request.POST.get("action") == "dismiss":
        messages.success(request, f"Rows dismissed: {replay.dismiss(rows, by=by):,}.")
    else:
        return HttpResponseBadRequest("action must be replay or dismiss.")
    return _back(request, source)


@require_POST
@login_required
def decide_conflicts(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Accept or dismiss, by `action`, the chosen `row`s of the source, or all that wait with `all`."""
    principal, source = _source_of(request, public_id)
    refuse_unless(principal.may_operate(source.customer_id))
    decisions: dict[str, tuple[str, Callable[..., int]]] = {
        "accept": ("accepted", conflicts.accept),
        "dismiss": ("dismissed", conflicts.dismiss),
    }
    action = request.POST.get("action", "")
    if action not in decisions:
        return HttpResponseBadRequest("action must be accept or dismiss.")
    word, decide = decisions[action]
    # By their keys: what decides orders, joins and locks the rows in its own way.
    keys = _chosen(request, conflicts_of(source, Conflict.State.WAITING)).values_list("pk", flat=True)
    decided = decide(Conflict.objects.filter(pk__in=list(keys)), by=principal.name)
    messages.success(request, f"Conflicts {word}: {decided:,}.")
    return _back(request, source)


def _source_of(request: HttpRequest, public_id: UUID) -> tuple[Principal, Any]:
    """The caller, and the source if the caller may see it; a foreign one is not found."""
    principal = page_principal(request)
    sources = with_state(Source.objects.visible_to(principal.scope), timezone.now()).select_related("customer")
    return principal, get_object_or_404(sources, public_id=public_id)


def _state_asked(request: HttpRequest, name: str, states: Any) -> str:
    asked = request.GET.get(name, "")
    return asked if asked in states.values else str(states.WAITING.value)


def _chosen(request: HttpRequest, waiting: QuerySet[Any]) -> QuerySet[Any]:
    """The first MOST_AT_ONCE of these rows with `all`, else those of them that are named."""
    if "all" in request.POST:
        return waiting.filter(pk__in=list(waiting.values_list("pk", flat=True)[:MOST_AT_ONCE]))
    return waiting.filter(public_id__in=[row for row in request.POST.getlist("row") if _is_uuid(row)])


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _back(request: HttpRequest, source: Source) -> HttpResponse:
    """To the source's page, on which the form keeps what was shown of the lists as `back`."""
    query = request.POST.get("back", "")
    return redirect(reverse("feed", args=[source.public_id]) + (f"?{query}" if query else ""))
