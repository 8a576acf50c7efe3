"""Claim and deliver every due message once, like a tick and a worker together."""

from __future__ import annotations

from datetime import datetime

from alarms.models import Attempt
from alarms.notifications.deliver import deliver
from alarms.notifications.outbox import claim_due


def deliver_due(now: datetime | None = None) -> list[Attempt]:
    """Try every message that is due now, or at `now`, once."""
    return [deliver(claim) for claim in sorted(claim_due(now), key=lambda claim: claim.row_id)]
