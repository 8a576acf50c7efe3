"""The next batch of a file is parsed while the one before is stored."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from threading import Event

import pytest

from ingestion.loading.parsing_ahead import parsed_ahead
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import ParsedBatch, UnreadableBody, empty_readings


def batch(context: str = "") -> ParsedBatch:
    return ParsedBatch(readings=empty_readings(), rejected=[], raw_row=lambda _: "", row_context=context)


def parsing_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("parsing")]


def test_batches_arrive_in_order_and_the_thread_ends() -> None:
    with parsed_ahead(batch(f"{number}") for number in range(5)) as batches:
        assert [each.row_context for each in batches] == ["0", "1", "2", "3", "4"]
    assert parsing_threads() == []


def test_the_next_batch_is_parsed_while_one_is_stored_and_no_further() -> None:
    second_is_parsed, parsed = Event(), []

    def parse() -> Iterator[ParsedBatch]:
        for number in range(4):
            if number == 1:
                second_is_parsed.set()
            parsed.append(number)
            yield batch()

    with parsed_ahead(parse()) as batches:
        next(batches)
        assert second_is_parsed.wait(timeout=10)
    assert parsed == [0, 1]


def test_an_unreadable_body_is_reported_after_the_batches_before() -> None:
    def parse() -> Iterator[ParsedBatch]:
        yield batch("first")
        raise UnreadableBody(Reason.CUT_OFF, "The body was cut off.")

    with parsed_ahead(parse()) as batches:
        assert next(batches).row_context == "first"
        with pytest.raises(UnreadableBody, match="cut off"):
            next(batches)


def test_a_generator_that_is_closed_early_leaves_no_thread() -> None:
    def stored() -> Generator[ParsedBatch, None, None]:
        with parsed_ahead(batch() for _ in range(100)) as batches:
            yield from batches

    with closing(stored()) as batches:
        next(batches)
    assert parsing_threads() == []
