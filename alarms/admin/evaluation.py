"""Admin of failed evaluations: what failed, why, and a button to retry it."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from alarms.models import EvaluationFailure, Reevaluation
from core.web.admin import FewRelatedFilter, ReadOnlyAdmin, badge, instant_text


@admin.register(EvaluationFailure)
class EvaluationFailureAdmin(ReadOnlyAdmin[EvaluationFailure]):
    """List of the units that could not be evaluated, with the full error of the last attempt."""

    list_display = ["since", "part_badge", "customer_code", "storage_unit", "reason", "attempts", "next_attempt"]
    list_select_related = ["storage_unit__facility__customer"]
    list_filter = ["part", ("storage_unit__facility__customer", FewRelatedFilter)]
    search_fields = ["storage_unit__unit_code", "storage_unit__name", "error"]
    search_help_text = "Part of a unit's code or name, or of the error."
    actions = ["retry_now"]
    sortable_by = ["since"]

    @admin.display(description="since (UTC)", ordering="failed_at")
    def since(self, failure: EvaluationFailure) -> str:
        """Return when it failed first."""
        return instant_text(failure.failed_at)

    @admin.display(description="part")
    def part_badge(self, failure: EvaluationFailure) -> SafeString:
        """Return the part of the evaluation that failed."""
        return badge(failure.get_part_display(), "bad")

    @admin.display(description="customer")
    def customer_code(self, failure: EvaluationFailure) -> str:
        """Return the code of the unit's customer."""
        return failure.storage_unit.facility.customer.customer_code

    @admin.display(description="next attempt (UTC)")
    def next_attempt(self, failure: EvaluationFailure) -> str:
        """Return when the next attempt is due."""
        return instant_text(failure.next_attempt_at)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may have failed evaluations retried."""
        return request.user.has_perm("alarms.change_evaluationfailure")

    @admin.action(description="Retry now", permissions=["retry"])
    def retry_now(self, request: HttpRequest, queryset: QuerySet[EvaluationFailure]) -> None:
        """Have the selected evaluations retried at once."""
        count = EvaluationFailure.retry_soon(queryset)
        self.message_user(request, f"{count:,} will be retried within a minute.", messages.SUCCESS)


@admin.register(Reevaluation)
class ReevaluationAdmin(ReadOnlyAdmin[Reevaluation]):
    """Read-only list of the units whose readings are still to be evaluated again, as after an update."""

    list_display = ["storage_unit", "since", "reason", "requested_at", "attempts", "next_attempt_at"]
    list_select_related = ["storage_unit__facility__customer"]
    list_filter = ["reason"]
    ordering = ["requested_at"]
