"""The connection of one MQTT source: a persistent session whose messages are acknowledged when they are stored."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import paho.mqtt.client as mqtt
import structlog
from django.conf import settings
from django.utils import timezone
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode
from typing_extensions import override

from core.http.addresses import parse_networks, parse_ports
from core.http.guarded_http import FetchFailure, FetchLimits, Guard, connect_to
from ingestion.models import Source
from ingestion.sources.credentials import CredentialsKind
from ingestion.sources.topics import is_topic_of, parse_broker, subscription, unit_in

logger = structlog.get_logger(__name__)

KEEPALIVE_SECONDS = 60
FIRST_RECONNECT_SECONDS, LAST_RECONNECT_SECONDS = 1, 120
QOS = 1
PAUSE_SECONDS, LONGEST_BACKLOG_SECONDS = 2.0, 60.0


class _NotReached(OSError):  # noqa: N818  (paho retries after an OSError)
    """The address is not allowed, or nothing answers there; the source has been told."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that waits to be stored, and the source with a filter that it matches."""

    client: SourceClient
    source: Source
    message: mqtt.MQTTMessage
    received_at: datetime
    is_backlog: bool

    @property
    def key(self) -> bytes:
        """What identifies it in the broker's session."""
        parts = (self.message.topic.encode(), str(self.message.mid).encode(), self.message.payload)
        return sha256(b"\0".join(parts)).digest()

    @property
    def unit_code(self) -> str:
        """The unit that its topic names."""
        return unit_in(self.message.topic, self.source.topic_filters)

    @property
    def is_old(self) -> bool:
        """Whether it was sent before it could be received, so that its time of receipt says nothing."""
        return self.message.retain or self.message.dup or self.is_backlog

    def acknowledge(self) -> None:
        """Tell the broker that it is stored; the broker forgets it."""
        self.client.ack(self.message.mid, self.message.qos)


class SourceClient(mqtt.Client):
    """A connection to a broker that is checked like every address that customers supply.

    The network loop is a thread of its own; it hands each message to `hand_over`, which may block until `is_stopped`:
    the broker then sends no more.
    """

    def __init__(
        self, source: Source, hand_over: Callable[[Received], None], tell: Callable[[Source, str], None]
    ) -> None:
        """`tell` is called with "" when connected, and else with why not."""
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=f"temperature-{source.public_id}",
            clean_session=False,
            protocol=mqtt.MQTTv311,
            manual_ack=True,
        )
        self.source = source
        self._hand_over = hand_over
        self._tell = tell
        self._connected_at = self._last_message_at = 0.0
        self._may_be_backlog = self._is_accepted = False
        self.is_stopped = self._is_started = False
        self.on_connect = self._connected
        self.on_disconnect = self._disconnected
        self.on_message = self._received
        self.on_subscribe = self._answered
        self.reconnect_delay_set(FIRST_RECONNECT_SECONDS, LAST_RECONNECT_SECONDS)

    def start(self) -> None:
        """Connect, and reconnect for as long as it is not stopped. Raise SettingError, SecretUnreadable or SSLError."""
        host, port, is_secure = parse_broker(self.source.broker_url)
        credentials = self.source.credentials
        if credentials.kind == CredentialsKind.BASIC:
            self.username_pw_set(credentials.name, credentials.secret)
        if is_secure:
            context = ssl.create_default_context()
            if self.source.ca_certificates:
                context.load_verify_locations(cadata=self.source.ca_certificates)
            self.tls_set_context(context)
        self.connect_async(host, port, KEEPALIVE_SECONDS)
        self.loop_start()
        self._is_started = True

    @property
    def has_ended(self) -> bool:
        """Whether the thread of the network loop has ended by itself: by an error that paho does not expect."""
        return self._is_started and not self.is_stopped and self._thread is None

    def unsubscribe_all_but(self, filters: Sequence[str]) -> None:
        """End the subscriptions to other filters, which the broker would keep with the session."""
        kept = {subscription(text) for text in filters}
        if others := sorted({subscription(text) for text in self.source.topic_filters} - kept):
            self.unsubscribe(others)

    def stop(self) -> None:
        """Disconnect. The broker keeps the session, and what was not acknowledged."""
        # The thread that is waited for may itself be waiting for a message to be taken.
        self.is_stopped = True
        self.disconnect()
        self.loop_stop()

    @override
    def reconnect(self) -> MQTTErrorCode:
        """Connect, in the thread of the network loop; tell why that fails."""
        try:
            return super().reconnect()
        except ssl.SSLCertVerificationError as error:
            self._tell(self.source, f"The broker's certificate is not trusted: {error.verify_message}.")
            raise
        except _NotReached:
            raise
        except OSError as error:
            self._tell(self.source, f"The connection to the broker failed: {error}.")
            raise

    @override
    def _create_socket_connection(self) -> socket.socket:
        limits = FetchLimits(
            connect_seconds=settings.SOURCE_CONNECT_SECONDS,
            total_seconds=settings.SOURCE_TOTAL_SECONDS,
            ports=parse_ports(settings.OUTGOING_PORTS),
        )
        guard = Guard(limits, parse_networks(settings.SOURCE_ALLOWED_NETWORKS))
        try:
            connected = connect_to(self.host, self.port, guard)
        except FetchFailure as failure:
            self._tell(self.source, failure.message)
            raise _NotReached(failure.message) from failure
        connected.guard = None  # the connection lasts
        return connected

    def _connected(
        self, client: mqtt.Client, data: object, flags: mqtt.ConnectFlags, reason: ReasonCode, properties: object
    ) -> None:
        if reason.is_failure:
            self._tell(self.source, f"The broker refused the connection: {reason}.")
            return
        self._is_accepted = True
        self._connected_at = self._last_message_at = time.monotonic()
        self._may_be_backlog = bool(flags.session_present)
        self.subscribe([(subscription(text), QOS) for text in self.source.topic_filters])
        self._tell(self.source, "")
        logger.info("subscribed", source=str(self.source.public_id), filters=len(self.source.topic_filters))

    def _answered(
        self, client: mqtt.Client, data: object, mid: int, reasons: list[ReasonCode], properties: object
    ) -> None:
        refused = [text for text, reason in zip(self.source.topic_filters, reasons, strict=False) if reason.is_failure]
        if refused:
            self._tell(self.source, f"The broker refused the subscription to {', '.join(refused)}.")

    def _disconnected(
        self, client: mqtt.Client, data: object, flags: object, reason: ReasonCode, properties: object
    ) -> None:
        # A connection that was refused ends as well, which would hide why.
        was_accepted, self._is_accepted = self._is_accepted, False
        if reason.is_failure and was_accepted:
            self._tell(self.source, f"The connection to the broker ended: {reason}.")

    def _received(self, client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        if not self._is_wanted(message):
            self.ack(message.mid, message.qos)
            return
        now = time.monotonic()
        is_backlog = self._is_backlog(now)
        self._last_message_at = now
        self._hand_over(Received(self, self.source, message, timezone.now(), is_backlog))

    def _is_wanted(self, message: mqtt.MQTTMessage) -> bool:
        """Return whether its topic is one of the source's: the session also keeps the subscriptions it had before."""
        try:
            return is_topic_of(message.topic, self.source.topic_filters)
        except UnicodeDecodeError:
            return False  # a broker that follows the standard passes on no such topic

    def _is_backlog(self, now: float) -> bool:
        """Return whether the broker is still sending what it kept while there was no connection.

        It does not mark such messages: they arrive without a pause.
        """
        has_paused = now - self._last_message_at > PAUSE_SECONDS
        if has_paused or now - self._connected_at > LONGEST_BACKLOG_SECONDS:
            self._may_be_backlog = False
        return self._may_be_backlog
