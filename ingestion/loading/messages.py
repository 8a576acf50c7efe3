"""Load messages of brokers in their order, the small ones of different units together.

A message usually brings one reading, and loading it alone costs as much as loading a hundred together. Whatever is
unusual about a message is left to `load_sent`, so that there is one place that decides what becomes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from django.utils import timezone

from core.tracing import span
from ingestion.loading.known_units import UnitPlace
from ingestion.loading.load import log_loaded
from ingestion.loading.small_deliveries import SmallDelivery, load_together
from ingestion.loading.source_push import (
    REPEATED_WITHIN,
    ParsedBody,
    PushFailed,
    SentBody,
    keep_unreadable,
    load_request_of,
    load_sent,
    note_message,
)
from ingestion.models import Delivery, Source
from ingestion.parsing.results import UnreadableBody
from ingestion.sources import SettingError
from ingestion.sources.message_formats import uplink_in

SMALL_BYTES = 64 * 1024
SMALL_ROWS = 200
# Rows of those that are loaded together: more hold locks for longer than is saved by sharing statements.
MAX_ROWS = 500


@dataclass(frozen=True, slots=True)
class _SmallMessage:
    """A message that can be loaded together with others. `content_hash`: "" if it may be sent again on purpose."""

    source: Source
    body: SentBody
    delivery: SmallDelivery
    units: frozenset[UnitPlace]

    @property
    def content(self) -> tuple[int, str]:
        """What no two messages that are loaded together have in common."""
        return self.source.pk, self.delivery.content_hash


@dataclass(slots=True)
class _Batch:
    """Small messages that follow each other, to be loaded together."""

    messages: list[_SmallMessage] = field(default_factory=list)
    row_count: int = 0

    def takes(self, message: _SmallMessage) -> bool:
        """Return whether it may be added: not if it repeats another one, which has to be stored before."""
        is_repeated = message.delivery.content_hash and message.content in {each.content for each in self.messages}
        return not is_repeated and self.row_count + len(message.delivery.batch.row_numbers) <= MAX_ROWS

    def add(self, message: _SmallMessage) -> None:
        """Add a message."""
        self.messages.append(message)
        self.row_count += len(message.delivery.batch.row_numbers)

    def load(self) -> None:
        """Load the messages, unless they were stored before, and start again with none."""
        messages = _new_ones(self.messages)
        self.messages, self.row_count = [], 0
        if messages:
            with span("load together", messages=len(messages)):
                for turn in _turns(messages):
                    _load_turn(turn)
            _note_success({message.source.pk for message in messages})


def load_message(source: Source, body: SentBody) -> None:
    """Load a message. One that cannot be read is kept as a rejected row; an empty one clears a retained message."""
    if not body.data:
        return
    try:
        load_sent(source, body)
    except PushFailed as failed:
        keep_unreadable(source, body, failed)


def load_messages(sent: Sequence[tuple[Source, SentBody]]) -> None:
    """Do the same with messages, in the caller's transaction.

    Raise what any of them raises, or ConflictError if registering a unit has to wait: then nothing is stored, and the
    caller loads them one by one.
    """
    batch = _Batch()
    for source, body in sent:
        message = _small_message(source, body)
        if message is None or not batch.takes(message):
            batch.load()
        if message is None:
            load_message(source, body)
        else:
            batch.add(message)
    batch.load()


def _small_message(source: Source, body: SentBody) -> _SmallMessage | None:
    """Return the parsed message, None if it has to be loaded alone."""
    if not 0 < len(body.data) <= SMALL_BYTES or uplink_in(body.data, source.message_format) is not None:
        return None
    parsed = ParsedBody(source, body)
    try:
        batches = list(islice(parsed.batches(), 2))
    except (UnreadableBody, SettingError):
        return None  # raised again when it is loaded alone
    if len(batches) != 1 or batches[0].is_cut_off or len(batches[0].row_numbers) > SMALL_ROWS:
        return None
    if parsed.is_timed_on_receipt and (body.is_repeated or body.is_old):
        return None
    [batch] = batches
    content_hash = "" if parsed.is_timed_on_receipt else body.content_hash
    units = {(facility, unit) for facility, unit, _ in batch.groups().sensor_keys}
    return _SmallMessage(
        source,
        body,
        SmallDelivery(load_request_of(source, body), batch, content_hash=content_hash),
        frozenset((source.customer_id, facility or source.default_facility_code, unit) for facility, unit in units),
    )


def _new_ones(messages: Sequence[_SmallMessage]) -> list[_SmallMessage]:
    """Return the messages with content that their source has not sent before. One query."""
    hashes = {message.delivery.content_hash for message in messages} - {""}
    known = set(
        Delivery.objects.filter(
            source__in={message.source.pk for message in messages}, content_hash__in=hashes
        ).values_list("source_id", "content_hash")
        if hashes
        else ()
    )
    return [message for message in messages if message.content not in known]


def _turns(messages: Sequence[_SmallMessage]) -> list[list[_SmallMessage]]:
    """Divide messages so that none in a turn has a unit in common with another, and each unit's keep their order."""
    turns: list[list[_SmallMessage]] = []
    next_of_units: dict[UnitPlace, int] = {}
    for message in messages:
        number = max((next_of_units.get(unit, 0) for unit in message.units), default=0)
        if number == len(turns):
            turns.append([])
        turns[number].append(message)
        next_of_units |= dict.fromkeys(message.units, number + 1)
    return turns


def _load_turn(messages: Sequence[_SmallMessage]) -> None:
    """Load messages together; those that turn out to share a unit after the others."""
    while messages:
        results = load_together([message.delivery for message in messages])
        for message, result in zip(messages, results, strict=True):
            if result is not None:
                log_loaded(result.delivery)
                if not message.delivery.content_hash and message.body.message_key:
                    note_message(message.source, message.body.message_key, message.body.received_at, REPEATED_WITHIN)
        messages = [message for message, result in zip(messages, results, strict=True) if result is None]


def _note_success(source_ids: set[int]) -> None:
    Source.objects.filter(pk__in=source_ids).update(last_success_at=timezone.now(), failures_in_a_row=0, last_error="")
