"""The state of a source."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from ingestion.models import Source
from ingestion.selectors import SourceState, with_state
from tests.factories import SourceFactory

pytestmark = pytest.mark.django_db

NOW = timezone.now()
AGES_AGO = NOW - timedelta(days=1)
SOON = NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"is_paused": True, "failures_in_a_row": 3}, SourceState.PAUSED),
        ({"customer__is_active": False, "failures_in_a_row": 3}, SourceState.INACTIVE),
        ({"url": "", "created_at": AGES_AGO}, SourceState.RECEIVING),
        ({"failures_in_a_row": 1, "last_success_at": AGES_AGO}, SourceState.FAILING),
        ({"last_success_at": AGES_AGO}, SourceState.LATE),
        ({"created_at": AGES_AGO}, SourceState.LATE),
        ({"last_success_at": NOW, "claim_id": uuid4(), "lease_until": SOON}, SourceState.POLLING),
        ({"last_success_at": NOW, "claim_id": uuid4(), "lease_until": AGES_AGO}, SourceState.ON_TIME),
        ({"last_success_at": NOW}, SourceState.ON_TIME),
    ],
)
def test_the_state_is_the_first_that_applies(fields: dict[str, object], state: SourceState) -> None:
    SourceFactory(**fields)
    assert with_state(Source.objects.all(), NOW).get().state == state


@pytest.mark.parametrize("seconds", [3 * 300 + 59, 3 * 300 + 60, 3 * 300 + 61])
def test_late_agrees_with_the_model(seconds: int) -> None:
    source = SourceFactory(interval_seconds=300, last_success_at=NOW - timedelta(seconds=seconds))
    told = with_state(Source.objects.all(), NOW).get().state
    assert (told == SourceState.LATE) is source.is_late_at(NOW)
