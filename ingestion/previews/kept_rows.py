"""Show what was rejected of a delivery like the outcomes of a preview: counted by reason, with an example each.

Pages of deliveries and of imports use it; what would be rejected is counted by the preview itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db.models import Count, Min

from ingestion.loading.understood_rows import raw_text
from ingestion.models import Delivery, RejectedRow
from ingestion.previews.results import Outcome


def rejected_outcomes(deliveries: Iterable[Delivery]) -> Mapping[int, list[Outcome]]:
    """Return the outcomes of rejected rows by the ids of their deliveries, the most frequent first. Two queries.

    A row that is sent repeatedly is kept with the delivery that brought it first, and counted there once.
    """
    rejected = RejectedRow.objects.filter(delivery__in=[delivery.pk for delivery in deliveries])
    counted = rejected.order_by().values("delivery_id", "reason").annotate(count=Count("pk"), first=Min("pk"))
    counts = {each["first"]: each["count"] for each in counted}
    outcomes: dict[int, list[Outcome]] = defaultdict(list)
    for row in RejectedRow.objects.filter(pk__in=counts):
        if row.delivery_id is not None:
            outcomes[row.delivery_id].append(_outcome(row, counts[row.pk]))
    return {delivery_id: sorted(found, key=lambda each: -each.count) for delivery_id, found in outcomes.items()}


def _outcome(row: RejectedRow, count: int) -> Outcome:
    return Outcome(
        kind="rejected",
        label=row.get_reason_display(),
        count=count,
        row_number=row.row_number,
        example=raw_text(row.raw),
        message=row.message,
        reason=row.reason,
    )
