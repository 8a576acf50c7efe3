"""Reading from a streaming replica: lists, charts and reports, never what leads to a write or an alarm.

`@from_replica` marks the views whose statements may run on the replica. Inside them the ORM is routed by
`ReplicaRouter` and raw SQL uses `read_connection()`; everything else uses the primary. A view reads from the primary
instead if there is no replica, if it lags more than REPLICA_MAX_LAG_SECONDS or does not answer, and if the user has
just changed something (see `temperature_site.middleware.replica`).

The lag is the primary's time minus the commit time of the last transaction that was replayed. Beat commits each second,
so an idle system does not look as if it lagged; without beat, everything is read from the primary.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import StreamingHttpResponse

from core.db.clock import database_now

REPLICA_ALIAS = "replica"
# How long a measured lag counts, and how long a replica is left alone that did not answer.
MEASURED_EVERY_SECONDS = 1.0
RETRY_AFTER_SECONDS = 5.0
QUERY_CANCELED = "57014"
REPLAYED_AT = "SELECT pg_last_xact_replay_timestamp() WHERE pg_is_in_recovery()"

logger = structlog.get_logger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

_alias: ContextVar[str] = ContextVar("alias of the database that is read", default=DEFAULT_DB_ALIAS)
_needs_primary: ContextVar[bool] = ContextVar("whether the replica may be too old", default=False)


@dataclass(frozen=True, slots=True)
class _Verdict:
    is_usable: bool
    valid_until: float  # by the monotonic clock


_verdict = _Verdict(is_usable=False, valid_until=0.0)


def read_connection() -> BaseDatabaseWrapper:
    """Return the connection to read from: to the replica inside `@from_replica`, else to the primary."""
    return connections[_alias.get()]


class ReplicaRouter:
    """Route the ORM's reads as `read_connection` does, and everything else to the primary."""

    def db_for_read(self, model: type[models.Model], **hints: object) -> str:
        """Return the alias to read from."""
        return _alias.get()

    def db_for_write(self, model: type[models.Model], **hints: object) -> str:
        """Return the primary's alias, for objects read from the replica, too."""
        return DEFAULT_DB_ALIAS

    def allow_relation(self, first: models.Model, second: models.Model, **hints: object) -> bool:
        """Allow relations between objects read from either: they are the same rows."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        """Migrate the primary only."""
        return db == DEFAULT_DB_ALIAS


def from_replica(view: Callable[P, R]) -> Callable[P, R]:
    """Let the statements of a view run on the replica; if it fails meanwhile, run the view again on the primary.

    For views that read only. The rest of a streamed response is read where its beginning was.
    """

    @functools.wraps(view)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        if _needs_primary.get() or not is_replica_usable():
            return view(*args, **kwargs)
        try:
            with _reading_from(REPLICA_ALIAS):
                response = view(*args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            if getattr(error.__cause__, "pgcode", None) == QUERY_CANCELED:
                raise  # it took too long, and would on the primary
            _set_aside(error)
            return view(*args, **kwargs)
        if isinstance(response, StreamingHttpResponse):
            response.streaming_content = _each_from_replica(iter(response))
        return response

    return reading


@contextmanager
def from_primary() -> Iterator[None]:
    """Read everything from the primary inside, in views marked with `@from_replica`, too."""
    token = _needs_primary.set(True)
    try:
        yield
    finally:
        _needs_primary.reset(token)


def is_replica_usable() -> bool:
    """Return whether there is a replica that answers and lags no more than REPLICA_MAX_LAG_SECONDS."""
    global _verdict
    if REPLICA_ALIAS not in connections.settings:
        return False
    if time.monotonic() >= _verdict.valid_until:
        # At once, so that other threads use the last verdict meanwhile instead of measuring as well.
        _verdict = _Verdict(_verdict.is_usable, time.monotonic() + MEASURED_EVERY_SECONDS)
        try:
            lag_seconds = replica_lag_seconds()
        except Error as error:
            _set_aside(error)
        else:
            is_usable = lag_seconds is not None and lag_seconds <= settings.REPLICA_MAX_LAG_SECONDS
            if is_usable != _verdict.is_usable:
                logger.warning("the replica is read from, or no longer", is_read=is_usable, lag_seconds=lag_seconds)
            _verdict = _Verdict(is_usable, time.monotonic() + MEASURED_EVERY_SECONDS)
    return _verdict.is_usable


def replica_lag_seconds() -> float | None:
    """Return by how much the replica lags, None if it is none (any more). Raise what a cursor raises."""
    with connections[REPLICA_ALIAS].cursor() as cursor:
        cursor.execute(REPLAYED_AT)
        row = cursor.fetchone()
    return (database_now() - row[0]).total_seconds() if row and row[0] else None


def _set_aside(error: Exception) -> None:
    """Leave the replica alone for some seconds."""
    global _verdict
    _verdict = _Verdict(is_usable=False, valid_until=time.monotonic() + RETRY_AFTER_SECONDS)
    logger.warning("the replica does not answer, reading from the primary", error=str(error))
    connections[REPLICA_ALIAS].close()


def on_primary() -> AbstractContextManager[None]:
    """Read from the primary inside, where a query needs to write on its way."""
    return _reading_from(DEFAULT_DB_ALIAS)


@contextmanager
def _reading_from(alias: str) -> Iterator[None]:
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


def _each_from_replica(pieces: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        with _reading_from(REPLICA_ALIAS):
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece
