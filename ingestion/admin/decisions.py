"""What the pages of rejected rows and of conflicts share: they wait until a person decides."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.http import HttpRequest
from django.utils.safestring import SafeString

from core.web.admin import BigTableAdmin, Tone, badge
from ingestion.models import Conflict, RejectedRow

TONES: dict[str, Tone] = {
    RejectedRow.State.WAITING: "warning",
    RejectedRow.State.REPLAYED: "good",
    Conflict.State.ACCEPTED: "good",
    RejectedRow.State.DISMISSED: "neutral",
}


class DecidedAdmin(BigTableAdmin):
    """Rows that are only read, about which actions with the permission `decide` decide."""

    @admin.display(description="state")
    def decision(self, row: RejectedRow | Conflict) -> SafeString:
        return badge(row.get_state_display(), TONES[row.state])

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Whoever may change such rows may decide about them."""
        return request.user.has_perm(f"{self.opts.app_label}.{get_permission_codename('change', self.opts)}")
