"""How revisions of readings are hashed: as canonical JSON of their columns as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from core.crypto.merkle import leaf_hash
from readings.models import ReadingRevision
from readings.storage.reading_batch import microseconds_of
from seals.contents import record_content

REVISION_COLUMNS = (
    "id",
    "storage_unit_id",
    "sensor_id",
    "recorded_at",
    "arrived_at",
    "before_temperature_c",
    "before_quality_score",
    "before_equipment_status_id",
    "before_scale",
    "after_temperature_c",
    "after_quality_score",
    "after_equipment_status_id",
    "after_scale",
    "revised_at",
    "by",
    "reason",
)


def revision_texts(revision: ReadingRevision) -> tuple[str | None, ...]:
    """Return the REVISION_COLUMNS as they are hashed: instants in microseconds since 1970, numbers as shortest text."""
    return tuple(_text(getattr(revision, column)) for column in REVISION_COLUMNS)


def revision_leaf(revision: ReadingRevision) -> bytes:
    """Return the hash of a revision."""
    return leaf_hash(record_content(REVISION_COLUMNS, revision_texts(revision)))


def revisions_between(unit_ids: Sequence[int], since: datetime | None, until: datetime) -> Iterator[ReadingRevision]:
    """Yield the revisions of these units made from `since` (None: ever) and before `until`, in order of their ids."""
    revisions = ReadingRevision.objects.filter(storage_unit_id__in=unit_ids, revised_at__lt=until).order_by("id")
    if since is not None:
        revisions = revisions.filter(revised_at__gte=since)
    return revisions.iterator()


def revision_leaves(unit_ids: Sequence[int], since: datetime | None, until: datetime) -> Iterator[bytes]:
    """Yield the hashes of those revisions."""
    return map(revision_leaf, revisions_between(unit_ids, since, until))


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return str(microseconds_of(value))
    return repr(value) if isinstance(value, float) else str(value)
