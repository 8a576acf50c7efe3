"""Poll a source, of whatever kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog

from core.leases import Claim
from core.tracing import span
from ingestion.models import Delivery, IngestionType, Source
from ingestion.polling.claims import source_leases
from ingestion.polling.files.file_poll import FilePoll
from ingestion.polling.http_poll import HttpPoll
from ingestion.polling.source_poll import SourcePoll

# How the sources of each type are polled. Those for pushes, imports and messages are not, unless they are
# given a URL.
_KINDS: Mapping[str, type[SourcePoll]] = {
    IngestionType.API: HttpPoll,
    IngestionType.CSV: HttpPoll,
    IngestionType.PUSH: HttpPoll,
    IngestionType.IMPORT: HttpPoll,
    IngestionType.MQTT: HttpPoll,
    IngestionType.FOLDER: FilePoll,
    IngestionType.SFTP: FilePoll,
    IngestionType.S3: FilePoll,
}


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
    """Return the poll of a claimed source, which begins now."""
    return _KINDS[source.ingestion_type](claim, source)


@contextmanager
def bound_source(source: Source) -> Iterator[None]:
    """Name the source in every line that is logged, and trace what is done for it."""
    names = {"customer": source.customer.customer_code, "source": str(source.public_id)}
    with structlog.contextvars.bound_contextvars(**names), span("poll", **names):
        yield
