"""The base of the admin pages for rejected rows and conflicts."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.http import HttpRequest
from django.utils.safestring import SafeString

from core.web.admin import BigTableAdmin, M, Tone, badge
from ingestion.models import Conflict, RejectedRow

TONES: dict[str, Tone] = {
    RejectedRow.State.WAITING: "warning",
    RejectedRow.State.REPLAYED: "good",
    Conflict.State.ACCEPTED: "good",
    RejectedRow.State.DISMISSED: "neutral",
    RejectedRow.State.UNDONE: "neutral",
}


class DecidedAdmin(BigTableAdmin[M]):
    """Read-only rows that users with the permission `decide` accept, replay or dismiss."""

    @admin.display(description="state")
    def decision(self, row: RejectedRow | Conflict) -> SafeString:
        """Return the state as a badge."""
        return badge(row.get_state_display(), TONES[row.state])

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may change such rows, and therefore decide about them."""
        return request.user.has_perm(f"{self.opts.app_label}.{get_permission_codename('change', self.opts)}")
