"""Pages of the audit trail: the search with its CSV export, and the histories of a customer and a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from audit.events import record_event
from audit.models import AuditEntry
from core.api.renderers import for_spreadsheets
from core.scope import Scope
from core.web.pages import list_page
from customers import members
from customers.access import actions
from customers.access.page_principal import needs, page_principal, settings_context, settings_customer
from customers.models import Customer
from customers.trail.export import csv_lines
from customers.trail.presenters import present_entries
from customers.trail.selectors import TrailFilter, history_of_member, search

ENTRIES_A_PAGE = 50
MAX_TEXT = 200
FILTERS = ("text", "customer", "action", "actor", "since", "until")
# Text is compared entry by entry. Without a first day a search for it covers this many days, found by their index.
TEXT_SEARCH_DAYS = 92


class InvalidFilterError(ValueError):
    """A filter of the query cannot be read; the message says which."""


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_TRAIL)
def trail_page(request: HttpRequest) -> HttpResponse:
    """Search the trail of the customers that the principal manages; the operator sees that of the whole system."""
    scope = _trail_scope(request)
    try:
        wanted = _filter(request, scope)
    except InvalidFilterError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    context = _search_context(request, scope, wanted) | {
        "customers": Customer.objects.visible_to(scope).values_list("customer_code", "name")
    }
    return render(request, "trail/trail.html", context)


@require_GET
@login_required
@needs(GET=actions.VIEW_TRAIL)
def trail_csv(request: HttpRequest) -> HttpResponseBase:
    """Export what the search finds as CSV. The export is itself an entry."""
    scope = _trail_scope(request)
    try:
        wanted = _filter(request, scope)
    except InvalidFilterError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    record_event(
        AuditEntry.Action.EXPORTED,
        model=AuditEntry._meta.label_lower,
        label="audit trail",
        customer_id=wanted.customer_id,
        details={"format": "csv", **_stated_filters(request)},
    )
    lines = for_spreadsheets(csv_lines(search(scope, wanted)))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="audit-trail.csv"'
    response["X-Accel-Buffering"] = "no"
    return response


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_TRAIL)
def customer_history(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Search the trail of one customer."""
    principal, customer = settings_customer(request, public_id)
    scope = _trail_scope(request)
    try:
        wanted = _filter(request, scope, customer)
    except InvalidFilterError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    context = settings_context(principal, customer, "history", actions.VIEW_TRAIL) | _search_context(
        request, scope, wanted
    )
    return render(request, "trail/customer.html", context)


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_TRAIL)
def member_history(request: HttpRequest, public_id: UUID, membership_id: int) -> HttpResponse:
    """Show what happened to a person and what they did for the customer."""
    principal, customer = settings_customer(request, public_id)
    member = get_object_or_404(members.members_of(customer), pk=membership_id)
    context = settings_context(principal, customer, "people", actions.VIEW_TRAIL) | {"member": member}
    return render(request, "trail/member.html", context | history_context(request, history_of_member(member)))


def history_context(request: HttpRequest, entries: QuerySet[AuditEntry], time_zone: str = "UTC") -> dict[str, object]:
    """Return the template context of a list of entries, with its times in this zone."""
    listed = list_page(request, entries, ENTRIES_A_PAGE)
    return {"list": listed, "entries": present_entries(listed.rows), "time_zone": time_zone}


def history_page(
    request: HttpRequest,
    entries: QuerySet[AuditEntry],
    *,
    name: str,
    title: str,
    page: str,
    parents: Sequence[tuple[str, str]],
    time_zone: str = "UTC",
) -> HttpResponse:
    """Show the history tab of an object; `title` and `page`: its other tab; `parents`: texts and addresses above it."""
    context = {"name": name, "title": title, "page": page, "history": request.path, "parents": parents}
    return render(request, "trail/object.html", context | history_context(request, entries, time_zone))


def _trail_scope(request: HttpRequest) -> Scope:
    return page_principal(request).scope


def _search_context(request: HttpRequest, scope: Scope, wanted: TrailFilter) -> dict[str, object]:
    return history_context(request, search(scope, wanted)) | {
        "wanted": wanted,
        "is_since_assumed": wanted.since is not None and not request.GET.get("since"),
        "selected": request.GET,
        "query": request.GET.urlencode(),
        "actions": AuditEntry.Action.choices,
        "actor_kinds": AuditEntry.ActorKind.choices,
        "shows_origin": True,
    }


def _filter(request: HttpRequest, scope: Scope, customer: Customer | None = None) -> TrailFilter:
    """Return the filter of the query. Raise InvalidFilterError, or Http404 for a customer out of scope."""
    query = request.GET
    if customer is None and query.get("customer"):
        customer = get_object_or_404(Customer.objects.visible_to(scope), customer_code=query["customer"])
    text, since, until = (
        query.get("text", "").strip()[:MAX_TEXT],
        _day(query, "since"),
        _day(query, "until"),
    )
    if text and since is None:
        since = (until or timezone.now().date()) - timedelta(days=TEXT_SEARCH_DAYS)
    return TrailFilter(
        text=text,
        customer_id=customer.pk if customer else None,
        action=query.get("action", ""),
        actor_kind=query.get("actor", ""),
        since=since,
        until=until,
    )


def _stated_filters(request: HttpRequest) -> dict[str, str]:
    """Return the filters of the query; other parameters, and long ones, must not fill the trail."""
    return {name: value[:MAX_TEXT] for name in FILTERS if (value := request.GET.get(name, ""))}


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidFilterError(f"{name} must be a date such as 2026-03-29.") from error
    if not 1900 <= day.year <= 9000:
        raise InvalidFilterError(f"{name} must be between the years 1900 and 9000.")
    return day
