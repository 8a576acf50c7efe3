"""Query parameters: parsed strictly, and reported by their name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from typing_extensions import override

from core.api.errors import InvalidQuery
from core.api.query_params import (
    ChoiceParam,
    NumberParam,
    Params,
    PeriodParams,
    TextParam,
    UUIDParam,
    WholeNumberParam,
)


class ExampleParams(PeriodParams):
    """Every kind of parameter."""

    count = WholeNumberParam(min_value=1, max_value=1_000, default=10, help_text="")
    limit = WholeNumberParam(min_value=1, max_value=1_000, help_text="")
    ratio = NumberParam(min_value=0, max_value=1, help_text="")
    size = NumberParam(source="size_m3", help_text="")
    colour = ChoiceParam(["red", "blue"], default="red", help_text="")
    shade = ChoiceParam(["light", "dark"], help_text="")
    public_id = UUIDParam(help_text="")
    text = TextParam(help_text="")
    word = TextParam(trim_whitespace=True, help_text="")

    @override
    def check(self, params: Params) -> None:
        super().check(params)
        if params["count"] == 13:
            raise InvalidQuery("count", "must not be 13.")


def parse(query: str) -> Params:
    return ExampleParams.parse(Request(APIRequestFactory().get(f"/?{query}")))


def problem(query: str) -> str:
    with pytest.raises(InvalidQuery) as caught:
        parse(query)
    assert caught.value.status_code == 422
    return str(caught.value.detail)


@pytest.mark.parametrize("query", ["", "ratio=&colour=&public_id=&text=&word=+&start_date=&end_date=%20"])
def test_absent_and_empty_parameters_have_their_default_or_are_left_out(query: str) -> None:
    assert parse(query) == {"count": 10, "colour": "red"}


def test_parameters_are_named_by_their_source() -> None:
    assert parse("size=1e1&start_date=2026-11-20")["size_m3"] == 10
    assert parse("start_date=2026-11-20")["start"] == datetime(2026, 11, 20, tzinfo=UTC)


def test_the_last_of_several_values_counts() -> None:
    assert parse("count=x&count=3")["count"] == 3


def test_a_bare_date_is_inclusive_as_an_end() -> None:
    assert parse("end_date=2026-11-20")["end"] == datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize("text", ["20261123", "2026-W48-1", "2026W481"])
def test_a_date_in_another_form_of_iso_8601_is_as_inclusive(text: str) -> None:
    assert parse(f"end_date={text}") == parse("end_date=2026-11-23")


def test_a_space_for_a_forgotten_plus_is_understood() -> None:
    assert parse("start_date=2026-11-20T02:00:00+02:00")["start"] == datetime(2026, 11, 20, tzinfo=UTC)


def test_only_some_texts_are_trimmed() -> None:
    params = parse("text=+a+&word=+a+")
    assert (params["text"], params["word"]) == (" a ", "a")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=", "limit must be a whole number from 1 to 1,000."),
        ("count=0", "count must be a whole number from 1 to 1,000."),
        ("count=1.0", "count must be a whole number from 1 to 1,000."),
        ("count=٣", "count must be a whole number from 1 to 1,000."),
        ("count=13", "count must not be 13."),
        ("size=nan", "size must be a number."),
        ("size=٣", "size must be a number."),
        ("size=1_0", "size must be a number."),
        ("size=1e999", "size must be a number."),
        ("ratio=2", "ratio must be from 0 to 1."),
        ("colour=green", "colour must be one of red, blue."),
        ("public_id=x", "public_id must be a UUID."),
        ("text=%00", "text must be printable text of at most 1,000 characters."),
        ("text=" + "x" * 1_001, "text must be printable text of at most 1,000 characters."),
        ("start_date=soon", "start_date must be an ISO 8601 time, such as 2026-11-23T10:15:00+00:00."),
        ("start_date=1066-10-14", "start_date must be between the years 1900 and 9000."),
        ("start_date=2026-11-20&end_date=2026-11-19", "end_date must not be before start_date."),
    ],
)
def test_an_invalid_parameter_is_reported(query: str, detail: str) -> None:
    assert problem(query) == detail
