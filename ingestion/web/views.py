"""The source pages: states and deliveries, and the review of rejected rows and conflicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar
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

from core.crypto.redaction import redact_url
from core.web.pages import list_page
from customers.access import actions
from customers.access.lookup import public_id_in
from customers.access.page_principal import needs, page_principal, refuse_unless
from customers.access.principal import Principal
from customers.models import Customer
from customers.trail.selectors import history_of
from customers.web.trail import history_page
from ingestion.loading import conflicts, replay
from ingestion.models import Conflict, RejectedRow, Source
from ingestion.polling import claims
from ingestion.presenters import ConflictPresenter, SourcePresenter, StatePresenter
from ingestion.selectors import (
    SourceState,
    conflicts_of,
    counts_by_state,
    deliveries_of,
    list_sources,
    rejected_rows_of,
    with_state,
)

if TYPE_CHECKING:
    from ingestion.selectors import StatefulSource

SOURCES_PER_PAGE = 100
ROWS_PER_PAGE = 25
# Keeps a request within its time limit; further rows take further requests.
MAX_ROWS_PER_REQUEST = 5_000

State = TypeVar("State", RejectedRow.State, Conflict.State)
Row = TypeVar("Row", RejectedRow, Conflict)


class _Decide(Protocol):
    def __call__(self, conflicts: QuerySet[Conflict], *, by: str) -> int: ...


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_SOURCES)
def sources_page(request: HttpRequest) -> HttpResponse:
    """List the visible sources, worst state first, filtered by `?customer=`, `?state=` and `?text=`."""
    scope = page_principal(request).scope
    customers = Customer.objects.visible_to(scope)
    customer_code = request.GET.get("customer", "")
    if customer_code:
        get_object_or_404(customers, customer_code=customer_code)
    now = timezone.now()
    text = request.GET.get("text", "").strip()
    state = request.GET.get("state", "")
    sources = list_sources(scope, now, customer_code=customer_code, state=state, text=text)
    page = list_page(request, sources, SOURCES_PER_PAGE)
    context = {
        "list": page,
        "sources": [SourcePresenter(source, now) for source in page.rows],
        "counts": [(StatePresenter(state), n) for state, n in counts_by_state(scope, now, customer_code).items()],
        "customers": list(customers.values_list("customer_code", "name")),
        "selected": {"customer": customer_code, "state": state, "text": text},
        "states": SourceState.choices,
        "may_add": not page_principal(request).scope_of(actions.ADD_SOURCES).is_empty,
        "may_import": not page_principal(request).scope_of(actions.IMPORT_FILES).is_empty,
        "now": now,
    }
    return render(request, "ingestion/sources.html", context)


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_SOURCES)
def source_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a source's state and deliveries, and its rejected rows and conflicts in the requested states."""
    now = timezone.now()
    principal, source = _get_source(request, public_id)
    rejected_state = _requested_state(request, "rejected", RejectedRow.State)
    conflict_state = _requested_state(request, "conflicts", Conflict.State)
    conflict_page = list_page(request, conflicts_of(source, conflict_state), ROWS_PER_PAGE, "conflicts_page")
    context = {
        "source": source,
        "presenter": SourcePresenter(source, now),
        "url": redact_url(source.url),
        "may_poll": principal.may(actions.POLL_SOURCES, source.customer_id),
        "may_manage": principal.may(actions.CHANGE_SOURCES, source.customer_id),
        "may_review_rows": principal.may(actions.REVIEW_REJECTED_ROWS, source.customer_id),
        "may_review_conflicts": principal.may(actions.REVIEW_CONFLICTS, source.customer_id),
        "deliveries": list_page(request, deliveries_of(source), ROWS_PER_PAGE, "deliveries_page"),
        "rejected": list_page(request, rejected_rows_of(source, rejected_state), ROWS_PER_PAGE, "rejected_page"),
        "rejected_state": rejected_state,
        "rejected_states": [state for state in RejectedRow.State if state != RejectedRow.State.UNDONE],
        "conflicts": conflict_page,
        "presented_conflicts": [ConflictPresenter(conflict) for conflict in conflict_page.rows],
        "conflict_state": conflict_state,
        "conflict_states": [state for state in Conflict.State if state != Conflict.State.UNDONE],
        "now": now,
    }
    return render(request, "ingestion/source.html", context)


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_SOURCES)
def source_history(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show who changed what about the source."""
    _, source = _get_source(request, public_id)
    return history_page(
        request,
        history_of(source),
        name=source.name,
        title="Source",
        page=reverse("source", args=[source.public_id]),
        parents=[("Sources", reverse("sources")), (source.customer.name, "")],
    )


@require_POST
@login_required
@needs(POST=actions.POLL_SOURCES)
def change_schedule(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Poll the source now (operators), or pause or resume it (managers), according to `action`."""
    principal, source = _get_source(request, public_id)
    action = request.POST.get("action")
    sources = Source.objects.filter(pk=source.pk)
    if action == "poll":
        refuse_unless(principal.may(actions.POLL_SOURCES, source.customer_id))
        message = "Polling starts within seconds." if claims.poll_now(sources) else claims.why_not_polled(source)
    elif action in ("pause", "resume"):
        refuse_unless(principal.may(actions.CHANGE_SOURCES, source.customer_id))
        changed = claims.pause(sources) if action == "pause" else claims.resume(sources)
        message = f"Source {action}d." if changed else "No change."
    else:
        return HttpResponseBadRequest("The action must be poll, pause or resume.")
    messages.success(request, message)
    return _back(request, source)


@require_POST
@login_required
@needs(POST=actions.REVIEW_REJECTED_ROWS)
def decide_rejected_rows(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Replay or dismiss the selected rejected rows, or all waiting ones if `all` is sent, according to `action`."""
    principal, source = _get_source(request, public_id)
    refuse_unless(principal.may(actions.REVIEW_REJECTED_ROWS, source.customer_id))
    rows = _selected(request, rejected_rows_of(source, RejectedRow.State.WAITING))
    by = principal.name
    if request.POST.get("action") == "replay":
        result = replay.replay(rows, by=by)
        messages.success(request, f"Rows replayed: {result.replayed:,}; rejected again: {result.still_rejected:,}.")
    elif request.POST.get("action") == "dismiss":
        messages.success(request, f"Rows dismissed: {replay.dismiss(rows, by=by):,}.")
    else:
        return HttpResponseBadRequest("The action must be replay or dismiss.")
    return _back(request, source)


@require_POST
@login_required
@needs(POST=actions.REVIEW_CONFLICTS)
def decide_conflicts(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Accept or dismiss the selected conflicts, or all waiting ones if `all` is sent, according to `action`."""
    principal, source = _get_source(request, public_id)
    refuse_unless(principal.may(actions.REVIEW_CONFLICTS, source.customer_id))
    decisions: dict[str, tuple[str, _Decide]] = {
        "accept": ("accepted", conflicts.accept),
        "dismiss": ("dismissed", conflicts.dismiss),
    }
    action = request.POST.get("action", "")
    if action not in decisions:
        return HttpResponseBadRequest("The action must be accept or dismiss.")
    participle, decide = decisions[action]
    # Passed by key, because `decide` orders, joins and locks the rows itself.
    keys = _selected(request, conflicts_of(source, Conflict.State.WAITING)).values_list("pk", flat=True)
    decided = decide(Conflict.objects.filter(pk__in=list(keys)), by=principal.name)
    messages.success(request, f"Conflicts {participle}: {decided:,}.")
    return _back(request, source)


def _get_source(request: HttpRequest, public_id: UUID) -> tuple[Principal, StatefulSource]:
    """Return the principal and the source; raise Http404 if the principal may not see it."""
    principal = page_principal(request)
    visible = Source.objects.visible_to(principal.scope_of(actions.VIEW_SOURCES))
    sources = with_state(visible, timezone.now()).select_related("customer")
    return principal, get_object_or_404(sources, public_id=public_id)


def _requested_state(request: HttpRequest, name: str, states: type[State]) -> State:
    requested = request.GET.get(name, "")
    return states(requested) if requested in states.values else states.WAITING


def _selected(request: HttpRequest, waiting: QuerySet[Row]) -> QuerySet[Row]:
    """Return the selected rows, or the first MAX_ROWS_PER_REQUEST if `all` is sent."""
    if "all" in request.POST:
        return waiting.filter(pk__in=list(waiting.values_list("pk", flat=True)[:MAX_ROWS_PER_REQUEST]))
    return waiting.filter(public_id__in=[public_id_in(text) for text in request.POST.getlist("row")])


def _back(request: HttpRequest, source: Source) -> HttpResponse:
    """Redirect to the source's page with the list state that the form sent as `back`."""
    query = request.POST.get("back", "")
    return redirect(reverse("source", args=[source.public_id]) + (f"?{query}" if query else ""))
