"""The subscriber: keeps a connection for each MQTT source, and stores what arrives.

The connections' threads put messages into one bounded queue; this loop takes them out in batches, stores each batch in
one transaction and then acknowledges it. A message that was not acknowledged is sent again by the broker, so nothing is
lost if this process is killed at any moment, and a repeated reading is stored once.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from queue import Empty, Full, Queue

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from core.crypto.encryption import SecretUnreadable
from core.db.conflicts import ConflictError, cause_of
from core.leases import RENEW_EVERY_SECONDS, Claim, LeasedTable
from ingestion.loading import messages
from ingestion.loading.source_push import PushFailed, SentBody, keep_unreadable
from ingestion.models import IngestionType, Source
from ingestion.sources import SettingError
from ingestion.sources.topics import is_topic_of
from ingestion.subscribing.client import Received, SourceClient

logger = structlog.get_logger(__name__)

BATCH_MESSAGES = 100
QUEUED_MESSAGES = 1_000
# Changed sources are picked up, and the heartbeat recorded, this often.
ROUND_SECONDS = 5.0
_WAIT_SECONDS = 0.5
_RETRY_SECONDS = 2.0
# A message that the database refuses this often, while it takes others, is kept as a rejected row.
MAX_ATTEMPTS = 5
# After the database has refused a batch, messages are stored one by one, to find the one that it refuses.
_CAREFUL_SECONDS = 60.0

# Two connections with the same client id would end each other endlessly, so each source belongs to one subscriber.
subscription_leases = LeasedTable(
    model=Source,
    lease_setting="POLL_LEASE_SECONDS",
    due_column="next_due_at",
    joins="",
    condition="ingestion_type = 'mqtt' AND NOT is_paused",
    is_slow="false",
    slow_seconds=0,
)


@dataclass(slots=True)
class _Subscription:
    """A connection, the state of the source's settings that it was made for, and the claim that entitles to it."""

    claim: Claim
    settings_of: datetime
    client: SourceClient


@dataclass(slots=True)
class Subscriber:
    """Runs until `is_stopping` returns true; `record_heartbeat` is called every few seconds."""

    is_stopping: Callable[[], bool]
    record_heartbeat: Callable[[], None]
    _queue: Queue[Received] = field(default_factory=lambda: Queue(QUEUED_MESSAGES))
    _subscriptions: dict[int, _Subscription] = field(default_factory=dict)
    # What the connections' threads have to tell about their sources.
    _told: Queue[tuple[int, str]] = field(default_factory=Queue)
    # Sources whose claim another subscriber has, as the thread that renews the claims has found.
    _lost: set[int] = field(default_factory=set)
    _careful_until: float = 0.0
    # Why the database has refused a message by itself, each time.
    _refusals: dict[bytes, list[str]] = field(default_factory=dict)

    def run(self) -> None:
        """Serve the sources. A database that does not answer is waited for."""
        is_over = threading.Event()
        threading.Thread(target=self._keep_claims, args=(is_over,), daemon=True).start()
        try:
            while not self.is_stopping():
                try:
                    self._serve()
                except (OperationalError, InterfaceError) as error:
                    logger.warning("the database does not answer", error=str(error))
                    self._disconnect()
                    connection.close()
                    time.sleep(_RETRY_SECONDS)
        finally:
            is_over.set()
            self._disconnect()

    def _keep_claims(self, is_over: threading.Event) -> None:
        """Renew the claims now and then, by a connection of this thread: storing a batch may take long."""
        while not is_over.wait(RENEW_EVERY_SECONDS):
            claims = [each.claim for each in list(self._subscriptions.values())]
            try:
                self._lost |= {claim.row_id for claim in claims} - subscription_leases.renew_all(claims)
            except DatabaseError as error:
                logger.warning("claims of subscriptions not renewed", error=str(error))
            finally:
                connection.close()

    def _serve(self) -> None:
        round_ends_at = 0.0
        while not self.is_stopping():
            if time.monotonic() >= round_ends_at:
                self._begin_round()
                round_ends_at = time.monotonic() + ROUND_SECONDS
            if batch := self._next_batch():
                self._store(batch)

    def _begin_round(self) -> None:
        self.record_heartbeat()
        self._follow_sources()
        self._note_connections()

    def _follow_sources(self) -> None:
        """Connect new sources, reconnect changed ones, and disconnect paused ones and those of other subscribers."""
        wanted = {
            source.pk: source
            for source in Source.objects.filter(
                ingestion_type=IngestionType.MQTT, is_paused=False, customer__is_active=True
            )
            .exclude(broker_url="")
            .select_related("customer")
        }
        for pk, each in list(self._subscriptions.items()):
            if each.client.has_ended:
                logger.error("a connection failed by an internal error", source=str(each.client.source.public_id))
                self._told.put((pk, "The connection to the broker failed by what it sent. It is made again."))
                self._end(each)
                continue
            if pk in self._lost or pk not in wanted or wanted[pk].updated_at != each.settings_of:
                if pk in wanted:
                    each.client.unsubscribe_all_but(wanted[pk].topic_filters)
                self._end(each)
        self._lost.clear()
        for pk in wanted.keys() - self._subscriptions.keys():
            if claim := subscription_leases.claim_for_long(pk):
                self._connect(wanted[pk], claim)

    def _end(self, subscription: _Subscription) -> None:
        subscription.client.stop()
        del self._subscriptions[subscription.claim.row_id]
        subscription_leases.release([subscription.claim])

    def _connect(self, source: Source, claim: Claim) -> None:
        client = SourceClient(source, self._hand_over, lambda told, text: self._told.put((told.pk, text)))
        try:
            client.start()
        except (SettingError, SecretUnreadable, ssl.SSLError, ValueError) as error:
            self._told.put((source.pk, f"The source cannot be subscribed to: {error}"))
        self._subscriptions[source.pk] = _Subscription(claim, source.updated_at, client)

    def _note_connections(self) -> None:
        """Show the state of the connections with their sources."""
        while not self._told.empty():
            pk, text = self._told.get()
            Source.objects.filter(pk=pk).exclude(last_error=text).update(last_error=text)

    def _hand_over(self, received: Received) -> None:
        """Queue a message, in a connection's thread. While the queue is full it waits, and the broker sends no more."""
        while not received.client.is_stopped:
            try:
                self._queue.put(received, timeout=_WAIT_SECONDS)
            except Full:
                continue
            return

    def _next_batch(self) -> list[Received]:
        batch: list[Received] = []
        try:
            batch.append(self._queue.get(timeout=_WAIT_SECONDS))
            while len(batch) < BATCH_MESSAGES:
                batch.append(self._queue.get_nowait())
        except Empty:
            pass
        return batch

    def _store(self, batch: Sequence[Received]) -> None:
        """Store a batch in one transaction, then acknowledge it; if that fails, message by message."""
        if time.monotonic() < self._careful_until:
            self._store_one_by_one(batch)
            return
        try:
            with transaction.atomic():
                held = self._held(batch)
                messages.load_messages([(received.source, _body_of(received)) for received in held])
        except ConflictError as error:
            logger.info("messages are stored one by one", messages=len(batch), message=str(error))
            self._store_one_by_one(batch)
            return
        except (OperationalError, InterfaceError):
            self._careful_until = time.monotonic() + _CAREFUL_SECONDS
            raise
        except Exception:
            logger.exception("a batch of messages failed", messages=len(batch))
            self._store_one_by_one(batch)
            return
        for received in held:
            received.acknowledge()

    def _held(self, batch: Sequence[Received]) -> list[Received]:
        """Return the messages of sources that are still claimed, and keep the claims until the transaction ends.

        The broker sends the others again, to the subscriber that has claimed their source. A message that has waited
        here while its source was changed is stored by the new settings, by which it would be read if sent again.
        """
        senders = {received.source.pk for received in batch}
        claims = [self._subscriptions[pk].claim for pk in senders & self._subscriptions.keys()]
        held = subscription_leases.renew_all(claims)
        self._lost |= {claim.row_id for claim in claims} - held
        sources = {pk: self._subscriptions[pk].client.source for pk in held}
        current = [replace(each, source=sources[each.source.pk]) for each in batch if each.source.pk in held]
        return [each for each in current if is_topic_of(each.message.topic, each.source.topic_filters)]

    def _store_one_by_one(self, batch: Sequence[Received]) -> None:
        for received in batch:
            try:
                if not self._store_alone(received):
                    continue
            except (OperationalError, InterfaceError) as error:
                self._careful_until = time.monotonic() + _CAREFUL_SECONDS
                self._refusals.setdefault(received.key, []).append(_why(error))
                raise
            except Exception as error:
                logger.exception("a message failed", topic=received.message.topic)
                _keep_failed(received, _why(error))
            self._refusals.pop(received.key, None)
            received.acknowledge()

    def _store_alone(self, received: Received) -> bool:
        """Store a message; return whether its source is still claimed."""
        refusals = self._refusals.get(received.key, [])
        with transaction.atomic():
            held = self._held([received])
            if not held:
                return False
            if len(refusals) >= MAX_ATTEMPTS:
                logger.error("a message was refused repeatedly", topic=received.message.topic, why=refusals[-1])
                _keep_failed(received, refusals[-1])
            else:
                messages.load_message(held[0].source, _body_of(held[0]))
        return True

    def _disconnect(self) -> None:
        for each in list(self._subscriptions.values()):
            with suppress(OperationalError, InterfaceError):  # the claim expires
                self._end(each)
        self._subscriptions.clear()
        # Not acknowledged, so the broker sends them again.
        while not self._queue.empty():
            self._queue.get()


def _why(error: Exception) -> str:
    return cause_of(error) or f"{type(error).__name__} in this system. See the log."


def _keep_failed(received: Received, why: str) -> None:
    """Keep a message that cannot be stored as a rejected row with the reason, so that the others are not held up."""
    with transaction.atomic():
        keep_unreadable(received.source, _body_of(received), PushFailed("internal_error", why))


def _body_of(received: Received) -> SentBody:
    message = received.message
    return SentBody(
        data=bytes(message.payload),
        received_at=received.received_at,
        ingestion_type=IngestionType.MQTT,
        origin=message.topic,
        default_unit=received.unit_code,
        message_key=received.key,
        is_repeated=message.dup,
        is_old=received.is_old,
    )
