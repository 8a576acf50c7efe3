"""Poll a source, of whatever kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from core.leases import Claim
from core.tracing import span
from ingestion.models import Delivery, Source
from ingestion.polling.claims import source_leases
from ingestion.polling.files.file_poll import FilePoll
from ingestion.polling.http_poll import HttpPoll
from ingestion.polling.source_poll import SourcePoll
from ingestion.sources.file_places import FILE_TYPES


def poll(claim: Claim) -> list[Delivery]:
    """Poll the claimed source; return a delivery for each part of the requested period, or for each file.

    The first failure of a request ends the poll, is logged as a delivery and backs the source off; internal errors are
    raised as well. Raises ClaimLost, and then stores nothing of the current part.
    """
    with source_leases.work(claim):
        source = Source.objects.select_related("customer").get(pk=claim.row_id)
        with bound_source(source):
            return poll_of(claim, source).run()


def poll_of(claim: Claim, source: Source) -> SourcePoll:
    """Return the poll of a claimed source, which begins now. Whatever holds no files is polled over HTTP."""
    return (FilePoll if source.ingestion_type in FILE_TYPES else HttpPoll)(claim, source)


@contextmanager
def bound_source(source: Source) -> Iterator[None]:
    """Name the source in every line that is logged, and trace what is done for it."""
    names = {"customer": source.customer.customer_code, "source": str(source.public_id)}
    with structlog.contextvars.bound_contextvars(**names), span("poll", **names):
        yield
