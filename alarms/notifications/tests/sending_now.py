"""A tick and a worker in one: whatever is due is claimed and tried once."""

from alarms.models import Attempt
from alarms.notifications.deliver import deliver
from alarms.notifications.outbox import claim_due


def send_due(now=None) -> list[Attempt]:
    """Try everything that is due now, or at `now`, once."""
    return [deliver(claim) for claim in sorted(claim_due(now), key=lambda claim: claim.row_id)]
