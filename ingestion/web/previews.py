"""Pages that show how data was, or would be, understood: the test of a source, and a delivery."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from customers.access import actions
from customers.access.page_principal import needs, page_principal, refuse_unless
from ingestion.loading.understood_rows import UnderstoodRow
from ingestion.models import Delivery, Source
from ingestion.polling.trial import try_source
from ingestion.previews.kept_rows import rejected_outcomes


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@needs(GET=actions.CHANGE_SOURCES, POST=actions.CHANGE_SOURCES)
def test_source_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Send the source's request and show how the response is understood, without storing anything."""
    principal = page_principal(request)
    sources = Source.objects.visible_to(principal.scope_of(actions.VIEW_SOURCES)).select_related("customer")
    source = get_object_or_404(sources, public_id=public_id)
    refuse_unless(principal.may(actions.CHANGE_SOURCES, source.customer_id))
    trial = try_source(source) if request.method == "POST" else None
    return render(request, "ingestion/source_test.html", {"source": source, "trial": trial})


@require_safe
@never_cache
@login_required
@needs(GET=actions.VIEW_SOURCES)
def delivery_page(request: HttpRequest, public_id: UUID, delivery_id: UUID) -> HttpResponse:
    """Show a delivery: its counts, how its rows were understood or why they were rejected, and its notes."""
    visible = Source.objects.visible_to(page_principal(request).scope_of(actions.VIEW_SOURCES))
    source = get_object_or_404(visible.select_related("customer"), public_id=public_id)
    delivery = get_object_or_404(Delivery, source=source, public_id=delivery_id)
    rows = [UnderstoodRow.from_json(kept) for kept in delivery.understood]
    rejected = rejected_outcomes([delivery]).get(delivery.pk, [])
    context = {"source": source, "delivery": delivery, "rows": rows, "rejected": rejected}
    return render(request, "ingestion/delivery.html", context)
