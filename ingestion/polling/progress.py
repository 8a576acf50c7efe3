"""Track up to where each unit of a source is complete, and look back for units that report later than the others.

A source's cursor follows its newest reading. A unit that reports hours after the others, or a day at once, would lose
its rows if every poll began at the cursor. So each unit has a progress of its own, and a poll begins at that of the
slowest unit whenever it is time to look back for it:

- at once after rows have arrived that do not follow on the unit's progress,
- else after a quarter of the time for which the unit has been silent, so that looking back costs a few times the data
  of the period at most, however long the unit remains silent.

The first period of a new source is looked through as regularly, for units that have never been seen. No look reaches
back further than the source's `max_hours`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias, cast

from core.db.prepared import Prepared
from ingestion.models import Source, SourceUnit

SHARE_OF_SILENCE = 4
_Progress: TypeAlias = tuple[int, datetime, datetime | None, datetime | None]

# A unit without progress is taken to be complete up to where a new source's first period begins.
_ADVANCE = Prepared("""
UPDATE source_unit SET
    complete_until = CASE WHEN is_seamless THEN greatest(complete, newest) ELSE complete END,
    ahead_since = CASE WHEN is_seamless THEN NULL ELSE coalesce(ahead_since, now) END
FROM (
    SELECT id, complete, newest, now, greatest(complete, earliest) >= since AS is_seamless
    FROM unnest(%(source_ids)s::bigint[], %(unit_ids)s::int[], %(newest)s::timestamptz[], %(since)s::timestamptz[],
        %(now)s::timestamptz[], %(earliest)s::timestamptz[], %(first)s::timestamptz[])
        AS delivered (source_id, storage_unit_id, newest, since, now, earliest, first)
    JOIN source_unit USING (source_id, storage_unit_id)
    CROSS JOIN LATERAL (SELECT coalesce(complete_until, first) AS complete) AS known
) AS told
WHERE source_unit.id = told.id AND (
    source_unit.complete_until IS NULL OR NOT is_seamless OR newest > source_unit.complete_until
    OR ahead_since IS NOT NULL
)
""")


@dataclass(frozen=True, slots=True)
class LookBack:
    """A period to request again: from `since`, for the units with these ids of SourceUnit."""

    since: datetime
    unit_ids: tuple[int, ...]


def look_back(source: Source, begins_at: datetime, now: datetime) -> LookBack | None:
    """Return from where a poll that would begin at `begins_at` has to begin instead; None to begin there."""
    earliest = _earliest(source, now)
    if begins_at <= earliest:
        return None
    behind = SourceUnit.objects.filter(source=source, complete_until__lt=begins_at)
    rows = behind.values_list("pk", "complete_until", "looked_at", "ahead_since")
    starts = {
        pk: max(complete_until, earliest)
        for pk, complete_until, looked_at, ahead_since in cast("Iterable[_Progress]", rows)
        if _is_time(max(complete_until, earliest), looked_at, ahead_since, now)
    }
    candidates = list(starts.values())
    first = max(_first(source, now), earliest)
    if source.looked_back_at is not None and _is_time(first, source.looked_back_at, None, now):
        candidates.append(first)
    since = min(candidates, default=begins_at)
    return LookBack(since, tuple(starts)) if since < begins_at else None


def note_look(source: Source, look: LookBack | None, begins_at: datetime, now: datetime) -> None:
    """Record that the source is looked through from `begins_at` now.

    Before it is: a look that fails, because of the response's size for example, must not be repeated with every poll.
    """
    if look is not None:
        SourceUnit.objects.filter(pk__in=look.unit_ids).update(looked_at=now)
    if source.looked_back_at is None or begins_at <= max(_first(source, now), _earliest(source, now)):
        source.looked_back_at = now
        Source.objects.filter(pk=source.pk).update(looked_back_at=now)


def forget_look(source: Source, look: LookBack | None, looked_back_at: datetime | None) -> None:
    """Take back what `note_look` recorded, as the poll is left to another one: `looked_back_at` is what was before."""
    if look is not None:
        SourceUnit.objects.filter(pk__in=look.unit_ids).update(looked_at=None)
    if source.looked_back_at != looked_back_at:
        source.looked_back_at = looked_back_at
        Source.objects.filter(pk=source.pk).update(looked_back_at=looked_back_at)


class Delivered(NamedTuple):
    """What a source delivered in a complete response from `since` on: the newest instants of its units, by their ids.

    `now` is when it was requested.
    """

    source: Source
    newest: Mapping[int, datetime]
    since: datetime
    now: datetime


def advance(delivered: Sequence[Delivered]) -> None:
    """Advance the units that delivered rows. One query, none without rows.

    A unit whose progress does not reach `since` may have rows in between: it is looked for with the next poll.
    """
    rows = [row for each in delivered for row in _rows_of(each)]
    if rows:
        names = ("source_ids", "unit_ids", "newest", "since", "now", "earliest", "first")
        _ADVANCE.execute(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def _rows_of(delivered: Delivered) -> Iterator[tuple[int, int, datetime, datetime, datetime, datetime, datetime]]:
    source, newest, since, now = delivered
    earliest = _earliest(source, now)
    first = max(_first(source, now), earliest)
    for unit_id, at in newest.items():
        # A clock that is ahead must not hide what the unit sends once it is right again.
        yield source.pk, unit_id, min(at, now), since, now, earliest, first


def _is_time(start: datetime, looked_at: datetime | None, ahead_since: datetime | None, now: datetime) -> bool:
    if looked_at is None or (ahead_since is not None and ahead_since > looked_at):
        return True
    return now - looked_at >= (now - start) / SHARE_OF_SILENCE


def _earliest(source: Source, now: datetime) -> datetime:
    return now - timedelta(hours=source.max_hours)


def _first(source: Source, now: datetime) -> datetime:
    return now - timedelta(hours=source.first_hours)
