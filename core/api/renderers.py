"""Renderers: JSON, and the formats in which lists of readings are streamed."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain

import msgspec
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer
from typing_extensions import override

_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?")
# Spreadsheets evaluate a cell that begins with one of these as a formula.
_FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_cell(value: object) -> object:
    """Return a value as a CSV cell; an apostrophe marks text that a spreadsheet would evaluate as a formula."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA_MARKS) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def for_spreadsheets(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a CSV file after a byte order mark, without which Excel doesn't read them as UTF-8."""
    return chain([BOM_UTF8], lines)


def _as_plain_text(value: object) -> str:
    """Return the text of types unknown to msgspec: DRF's error details and lazy translations."""
    if isinstance(value, str | Promise):
        return str(value).encode("utf-8", "replace").decode()
    raise TypeError(f"{type(value)} cannot be encoded as JSON")


_encoder = msgspec.json.Encoder(enc_hook=_as_plain_text)


def to_json(data: object) -> bytes:
    """Return `data` as JSON, with times in ISO 8601 and NaN and infinities as null."""
    return _encoder.encode(data)


class JSONRenderer(BaseRenderer):
    """JSON by msgspec: several times faster than DRF's, which would dominate the time of a page of readings."""

    media_type = "application/json"
    format = "json"
    charset = None

    @override
    def render(
        self,
        data: object,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, object] | None = None,
    ) -> bytes:
        return b"" if data is None else to_json(data)


class StreamedRenderer(BaseRenderer):
    """A format that the view streams itself; the renderer makes it available to content negotiation."""

    @override
    def render(
        self,
        data: object,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, object] | None = None,
    ) -> bytes:
        return to_json(data)


class CSVRenderer(StreamedRenderer):
    """CSV, see `readings.lists.export`."""

    media_type = "text/csv"
    format = "csv"


class NDJSONRenderer(StreamedRenderer):
    """One JSON object a line, see `readings.lists.export`."""

    media_type = "application/x-ndjson"
    format = "ndjson"
