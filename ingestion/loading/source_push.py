"""Load a body that a customer's system sends to one of its sources, through the source's field mapping.

The path of web requests and of messages of a broker. A sender that gets no answer sends again, so a body or a message
that was stored is recognised: by its content, by the identity of an uplink, or by its number in the broker's session.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from ingestion.loading.load import LoadRequest, LoadResult, Parsing, load, log_failure
from ingestion.loading.push import in_time, limited_time
from ingestion.loading.registration import other_customer_test
from ingestion.models import Delivery, IngestionType, Source
from ingestion.parsing.parse import parse_body
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import (
    NOT_REPLAYABLE,
    WHOLE_MESSAGE,
    ParsedBatch,
    RejectedReading,
    RowContext,
    UnreadableBody,
    empty_readings,
)
from ingestion.sources import SettingError
from ingestion.sources.message_formats import FORMATS, uplink_in

MAX_ERRORS = 1_000
_MAX_KEPT_CHARACTERS = 256 * 1024
SOURCE_SETTINGS = "source_settings"
# Copies of an uplink arrive within seconds; counters start again when a device restarts.
UPLINK_COPIES_WITHIN = timedelta(minutes=10)
# A broker repeats what was not acknowledged when the connection is back.
REPEATED_WITHIN = timedelta(days=7)
# Waits for a concurrent copy; an expired entry is taken over.
_NOTE_MESSAGE = """
WITH expired AS (
    DELETE FROM received_message WHERE id IN (
        SELECT id FROM received_message
        WHERE source_id = %(source_id)s AND received_at < %(kept_from)s LIMIT 100 FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO received_message AS known (source_id, key, received_at)
VALUES (%(source_id)s, %(key)s, %(received_at)s)
ON CONFLICT (source_id, key) DO UPDATE SET received_at = excluded.received_at WHERE known.received_at < %(known_from)s
RETURNING id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBody:
    """What was sent.

    `message_key` identifies a message in its broker's session, b"" without one; `is_repeated`: the broker repeats it.
    `is_old`: it waited for an unknown time, so its readings must have times of their own.
    `origin` is shown with the delivery, for example a topic.
    """

    data: bytes
    content_type: str = ""
    received_at: datetime = field(default_factory=timezone.now)
    ingestion_type: IngestionType = IngestionType.PUSH
    origin: str = ""
    default_unit: str = ""
    message_key: bytes = b""
    is_repeated: bool = False
    is_old: bool = False

    @property
    def content_hash(self) -> str:
        """What identifies a body that is sent again."""
        return sha256(b"\0".join((self.default_unit.encode(), self.data))).hexdigest()


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """The delivery, and up to MAX_ERRORS of its rejected rows. `is_repeated`: an earlier delivery of the same body."""

    delivery: Delivery
    errors: list[RejectedReading] = field(default_factory=list)
    is_repeated: bool = False


class PushFailed(Exception):  # noqa: N818  an expected outcome that a delivery records
    """A body that could not be loaded; the message is for its sender."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


def load_pushed(source: Source, body: SentBody) -> PushOutcome:
    """Load a body while its sender waits, in at most about PUSH_SECONDS. Raise PushTooSlow, or as `load_sent` does."""
    with limited_time() as deadline:
        return load_sent(source, body, deadline=deadline)


def load_sent(source: Source, body: SentBody, *, deadline: float = math.inf) -> PushOutcome:
    """Load a body in one transaction. Raise PushFailed; record it with `log_failed` outside the transaction.

    Raise PushTooSlow if the deadline passes before all rows are read.
    """
    if not body.data:
        raise PushFailed(Reason.NO_READINGS_LIST.value, "The body is empty.")
    content_hash = body.content_hash
    earlier = Delivery.objects.filter(source=source, content_hash=content_hash).order_by("id").first()
    if earlier is not None:
        return PushOutcome(earlier, is_repeated=True)
    try:
        with transaction.atomic():
            return _load(source, body, content_hash, deadline)
    except UnreadableBody as error:
        raise PushFailed(error.reason.value, error.message) from error
    except SettingError as error:
        raise PushFailed(SOURCE_SETTINGS, str(error)) from error


def log_failed(source: Source, body: SentBody, failed: PushFailed) -> Delivery:
    """Log a body that could not be loaded among the source's deliveries."""
    delivery = log_failure(load_request_of(source, body), failed.reason, failed.message)
    Source.objects.filter(pk=source.pk).update(last_error=failed.message)
    return delivery


def keep_unreadable(source: Source, body: SentBody, failed: PushFailed) -> Delivery:
    """Keep a body that is not sent again as a rejected row, to be replayed once its cause is fixed.

    What text cannot hold is kept in part, to be looked at, and the row says that it cannot be replayed.
    """
    text, is_lossy = _kept_text(source, body.data)
    message = f"{failed.message} {NOT_REPLAYABLE}" if is_lossy else failed.message
    reason = Reason(failed.reason) if failed.reason in Reason.values else Reason.NO_READINGS_LIST
    context = RowContext(
        line=WHOLE_MESSAGE,
        unit=body.default_unit,
        waited="yes" if body.is_old else "",
        is_lossy="yes" if is_lossy else "",
    ).to_text()
    batch = ParsedBatch(
        readings=empty_readings(),
        rejected=[RejectedReading(1, reason, message, text)],
        raw_row=lambda _: text,
        row_context=context,
    )
    return load(load_request_of(source, body), [batch]).delivery


def _kept_text(source: Source, data: bytes) -> tuple[str, bool]:
    """Return a body as text, and whether that is not all of it."""
    try:
        text = data.decode(source.encoding or "utf-8")
    except (UnicodeError, LookupError):
        return data.decode("utf-8", "replace")[:_MAX_KEPT_CHARACTERS], True
    return text[:_MAX_KEPT_CHARACTERS], len(text) > _MAX_KEPT_CHARACTERS or "\0" in text


def load_request_of(source: Source, body: SentBody) -> LoadRequest:
    """Return what a delivery records about a body."""
    return LoadRequest(
        customer=source.customer,
        source=source,
        ingestion_type=body.ingestion_type,
        started_at=body.received_at,
        received_at=body.received_at,
        source_url=body.origin,
        size_bytes=len(body.data),
        default_unit_code=body.default_unit or source.default_unit_code,
    )


def _load(source: Source, body: SentBody, content_hash: str, deadline: float) -> PushOutcome:
    load_request = load_request_of(source, body)
    uplink = uplink_in(body.data, source.message_format)
    if uplink is not None and not uplink.is_uplink:
        label = FORMATS[source.message_format].label
        return _pass_over(load_request, f"This message of {label} is no uplink: it holds no readings.")
    parsed = ParsedBody(source, body)
    try:
        with transaction.atomic():
            if uplink is not None and not note_message(source, uplink.key, body.received_at, UPLINK_COPIES_WITHIN):
                note = "This uplink was received before, by another gateway or in another attempt."
                return _pass_over(load_request, note)
            result = load(
                load_request, Parsing(lambda: in_time(parsed.batches(), deadline)), max_rejected_per_reason=MAX_ERRORS
            )
            if parsed.is_timed_on_receipt and body.message_key:
                _refuse_unless_new(source, body)
    except _RepeatedMessage:
        return _pass_over(load_request, "The broker sent this message again; it is stored already.")
    except UnreadableBody as error:
        if uplink is None or error.reason is not Reason.NO_READINGS_LIST:
            raise
        # Devices also send uplinks about their battery and the like, which the network server must not repeat.
        field_name = source.mapping.temperature_field
        why = f"The uplink has no {field_name}. Set the temperature field if the device's decoder names it differently."
        return PushOutcome(load(load_request, [], problems=[why]).delivery)
    if result.is_cut_off:
        raise PushFailed(Reason.CUT_OFF.value, "The body is incomplete. Send it again.")
    if result.delivery.status == Delivery.Status.SUCCESS and not parsed.is_timed_on_receipt:
        result.delivery.content_hash = content_hash
        result.delivery.save(update_fields=["content_hash"])
    _note_state(source, result)
    return PushOutcome(result.delivery, sorted(result.rejected, key=lambda row: row.row_number)[:MAX_ERRORS])


class _RepeatedMessage(Exception):  # noqa: N818  an expected outcome
    """The message is stored already."""


def _refuse_unless_new(source: Source, body: SentBody) -> None:
    """Note a message whose readings have no time of their own. Raise PushFailed or _RepeatedMessage."""
    is_new = note_message(source, body.message_key, body.received_at, REPEATED_WITHIN)
    if body.is_repeated and not is_new:
        raise _RepeatedMessage
    if body.is_old:
        raise PushFailed(Reason.NO_TIME.value, "It waited at the broker, and holds no time. Set the time field.")


def _pass_over(load_request: LoadRequest, note: str) -> PushOutcome:
    delivery = load(load_request, []).delivery
    delivery.notes = [note]
    delivery.save(update_fields=["notes"])
    return PushOutcome(delivery)


def note_message(source: Source, key: bytes, received_at: datetime, within: timedelta) -> bool:
    """Note a message of a source; return whether it is new."""
    values: dict[str, int | bytes | datetime] = {
        "source_id": source.pk,
        "key": key,
        "received_at": received_at,
        "known_from": received_at - within,
        "kept_from": received_at - REPEATED_WITHIN,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_MESSAGE, values)
        return bool(cursor.fetchall())


@dataclass(slots=True)
class ParsedBody:
    """The rows of a body. `is_timed_on_receipt`: the same body, sent again, is another measurement."""

    source: Source
    body: SentBody
    is_timed_on_receipt: bool = False

    def batches(self) -> Iterator[ParsedBatch]:
        """Parse the body. Raise UnreadableBody or SettingError."""
        for batch in parse_body(
            io.BytesIO(self.body.data),
            self.source.mapping,
            content_type=self.body.content_type,
            received_at=self.body.received_at,
            default_unit=self.body.default_unit or self.source.default_unit_code,
            max_bytes=settings.SOURCE_MAX_BYTES,
            max_rows=settings.SOURCE_MAX_ROWS,
            is_other_customer=other_customer_test(self.source.customer),
        ):
            self.is_timed_on_receipt |= bool((batch.readings["recorded_at"] == self.body.received_at).any())
            if self.body.is_old and batch.rejected:
                batch.row_context = replace(RowContext.from_text(batch.row_context), waited="yes").to_text()
            yield batch


def _note_state(source: Source, result: LoadResult) -> None:
    Source.objects.filter(pk=source.pk).update(
        last_success_at=result.delivery.ended_at, failures_in_a_row=0, last_error=""
    )
