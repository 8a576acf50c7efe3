"""The page of the seals of closed days, and the download of their roots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from audit.events import record_event
from audit.models import AuditEntry
from core.scope import ScopedQuerySet
from core.web.pages import list_page
from customers.access import actions
from customers.access.page_principal import needs, page_principal
from customers.models import Customer
from seals.models import DaySeal, TimeStamp
from seals.sealing import SEALED_WITHIN
from seals.verification.roots import customer_text, root_lines

SEALS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class SealPresenter:
    """A seal as the page shows it."""

    seal: DaySeal
    stamped_at: datetime | None

    @property
    def customer(self) -> str:
        """The customer's code, or that it is the system's own."""
        return customer_text(self.seal) or "The system"

    @property
    def hours_late(self) -> int | None:
        """By how many hours the system made it too late; None if it was in time.

        Readings that arrive late do not delay a seal: they are in that of a later day.
        """
        delay = self.seal.sealed_at - self.seal.closed_at
        return None if delay <= SEALED_WITHIN else int(delay.total_seconds() // 3600)

    @property
    def root(self) -> str:
        """The root, hexadecimal."""
        return bytes(self.seal.root).hex()

    @property
    def previous_root(self) -> str:
        """The root of the seal before it, hexadecimal; empty for the first one."""
        return bytes(self.seal.previous_root).hex() if self.seal.sequence > 1 else ""


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_TRAIL)
def seals_page(request: HttpRequest) -> HttpResponse:
    """List the seals of the customers that the principal manages; the operator sees the system's, too."""
    scope = page_principal(request).scope
    seals, _ = _wanted(request)
    stamps = TimeStamp.objects.filter(first_seal_id__lte=OuterRef("pk"), last_seal_id__gte=OuterRef("pk"))
    stamped = seals.annotate(stamped_at=Subquery(stamps.order_by("last_seal_id").values("stamped_at")[:1]))
    listed = list_page(request, stamped.select_related("customer").order_by("-id"), SEALS_A_PAGE)
    context = {
        "list": listed,
        "seals": [SealPresenter(seal, seal.stamped_at) for seal in listed.rows],
        "customers": Customer.objects.visible_to(scope).values_list("customer_code", "name"),
        "selected": request.GET,
        "query": request.GET.urlencode(),
        "has_time_stamps": bool(settings.TIME_STAMP_URL),
    }
    return render(request, "seals/seals.html", context)


@require_GET
@login_required
@needs(GET=actions.VIEW_TRAIL)
def roots_csv(request: HttpRequest) -> HttpResponseBase:
    """Download the roots of the listed seals, as `manage.py export_roots` writes them. The download is on record."""
    seals, customer = _wanted(request)
    record_event(
        AuditEntry.Action.EXPORTED,
        model=DaySeal._meta.label_lower,
        label="roots of seals",
        customer_id=customer.pk if customer else None,
        details={"format": "csv", **({"customer": customer.customer_code} if customer else {})},
    )
    response = StreamingHttpResponse(root_lines(seals), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="roots.csv"'
    response["X-Accel-Buffering"] = "no"
    return response


def _wanted(request: HttpRequest) -> tuple[ScopedQuerySet, Customer | None]:
    """Return the seals of the query, and its customer if it names one. Raise Http404 for one out of scope."""
    scope = page_principal(request).scope
    seals = DaySeal.objects.visible_to(scope)
    code = request.GET.get("customer", "")
    if not code:
        return seals, None
    customer = get_object_or_404(Customer.objects.visible_to(scope), customer_code=code)
    return seals.filter(customer=customer), customer
