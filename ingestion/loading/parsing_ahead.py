"""Parse the next batch of a file while the database stores the one before.

Storing mostly waits for PostgreSQL, and parsing is mostly done by polars, which lets other threads run: on two cores a
file takes about as long as the slower of both, instead of their sum. Responses and pushes are short and often of one
batch; they are parsed and stored in turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context

from ingestion.parsing.results import ParsedBatch


@contextmanager
def parsed_ahead(batches: Iterable[ParsedBatch]) -> Iterator[Iterator[ParsedBatch]]:
    """Provide the batches in their order, the next one of which a thread parses meanwhile.

    Two batches are in memory. What parsing raises is raised in place of the batch. `batches` must not use the database,
    as the transaction belongs to the calling thread. At the end of the context the thread has ended, and nothing reads
    the body any more.
    """
    iterator = iter(batches)

    def parse_next() -> ParsedBatch | None:
        batch = next(iterator, None)
        if batch is not None:
            batch.groups()  # here, because nothing is stored while they are made
        return batch

    with ThreadPoolExecutor(1, thread_name_prefix="parsing") as thread:

        def submit() -> Future[ParsedBatch | None]:
            return thread.submit(copy_context().run, parse_next)

        def each() -> Iterator[ParsedBatch]:
            following = submit()
            while (batch := following.result()) is not None:
                following = submit()
                yield batch

        yield each()
