"""Tell the operator whether notifications reach anybody at all; a wrong address is its customer's own problem."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from alarms.models import Channel

# Shorter failures end by themselves: there are five attempts in this time.
FAILING_FOR = timedelta(minutes=5)
# With fewer customers the cause may be theirs.
MIN_CUSTOMERS = 2
# Codes of SMTP that are about us or about the whole server, not about a recipient: not available, or signing in failed.
SERVER_CODES = [421, 454, 530, 534, 535, 538]

_WAITING = """
SELECT channel.kind, count(*), count(*) FILTER (WHERE message.attempt_count > 0)
FROM message JOIN channel ON channel.id = channel_id JOIN customer ON customer.id = channel.customer_id
WHERE message.state = 'waiting' AND channel.is_enabled AND customer.is_active
GROUP BY channel.kind
"""
# Channels that failed already before the newest delivery of their kind have causes of their own, unless the server of
# all e-mail channels has refused them since.
_FAILING = """
WITH failing AS (
    SELECT channel_id, min(tried_since) AS since, max(message.id) AS newest_id, count(*) AS message_count
    FROM message WHERE state = 'waiting' AND attempt_count > 0 GROUP BY channel_id
), delivered AS (
    SELECT kind, coalesce(max(last_success_at), '-infinity') AS at FROM channel GROUP BY kind
), examined AS (
    SELECT kind, channel.customer_id, message_count, since, delivered.at AS delivered_at,
        coalesce(kind = 'email' AND last.at > delivered.at
            AND (last.status_code IS NULL OR last.status_code = ANY(%(server_codes)s)), FALSE) AS is_server_down
    FROM failing JOIN channel ON channel.id = channel_id JOIN customer ON customer.id = channel.customer_id
        JOIN delivered USING (kind) LEFT JOIN LATERAL (
            SELECT at, status_code FROM message_attempt WHERE message_id = newest_id ORDER BY at DESC LIMIT 1
        ) AS last ON TRUE
    WHERE channel.is_enabled AND customer.is_active
)
SELECT kind, min(greatest(since, delivered_at)), sum(message_count), count(*), count(DISTINCT customer_id),
    bool_or(is_server_down)
FROM examined WHERE since > delivered_at OR is_server_down GROUP BY kind ORDER BY kind
"""


class WaitingMessages(NamedTuple):
    """How many messages of one kind of channel wait to be sent, and how many of them failed already."""

    waiting: int
    failing: int


def waiting_messages() -> Mapping[str, WaitingMessages]:
    """Return the waiting messages of enabled channels in the whole system, by kind of channel. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        counts = {kind: WaitingMessages(waiting, failing) for kind, waiting, failing in cursor.fetchall()}
    return {kind: counts.get(kind, WaitingMessages(0, 0)) for kind in Channel.Kind.values}


def delivery_problem(now: datetime) -> str:
    """Return which kinds of channels deliver nothing, "" if none. One query.

    A kind is reported if messages to several customers, or any to a mail server that does not serve us, have failed for
    five minutes and no channel of that kind has delivered anything since.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FAILING, {"server_codes": SERVER_CODES})
        rows = cursor.fetchall()
    return "; ".join(
        f"{Channel.Kind(kind).label}: nothing delivered since {since:%Y-%m-%d %H:%M} UTC, "
        f"{_counted(messages, 'message')} of {_counted(channels, 'channel')} failed"
        for kind, since, messages, channels, customers, is_server_down in rows
        if now - since >= FAILING_FOR and (customers >= MIN_CUSTOMERS or is_server_down)
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
