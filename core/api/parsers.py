"""Parsing of JSON bodies: strict, by msgspec, and limited in size.

Bulk pushes have a parser and a size limit of their own, see `ingestion.api.views`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO

import msgspec
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from typing_extensions import override

from core.api.errors import TooLargeBody

# Enough for any single object.
MAX_JSON_BYTES = 1 << 20


class JSONParser(BaseParser):
    """JSON without NaN, infinities and lone surrogates, none of which can be stored."""

    media_type = "application/json"

    @override
    def parse(  # type: ignore[override]  # a body may be any JSON value
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> object:
        data = stream.read(MAX_JSON_BYTES + 1)
        if len(data) > MAX_JSON_BYTES:
            raise TooLargeBody(f"The body is longer than {MAX_JSON_BYTES:,} bytes.")
        try:
            return _decoded(data, (parser_context or {}).get("request"))
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from error


def _decoded(data: bytes, request: object) -> object:
    """Return the body, and let the request state the reason of what it changes, see `customers.access.audit_actor`."""
    body = msgspec.json.decode(data)
    if (name := repeated_name(data)) is not None:
        raise ParseError(f"The body is not valid JSON: {name!r} occurs twice in one object.")
    if isinstance(request, Request) and isinstance(body, dict) and isinstance(body.get("reason"), str):
        request._request.stated_reason = body["reason"]  # type: ignore[attr-defined]  # an attribute of our own
    return body


class _RepeatedName(ValueError):  # noqa: N818  (ends the decoding, never leaves this module)
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def repeated_name(data: bytes | str) -> str | None:
    """Return a name that occurs twice in an object of a valid JSON text, None if there is none.

    Decoders keep the last of such members without a word, so that of two temperatures or scales one would win.
    """
    try:
        json.loads(data, object_pairs_hook=_check_pairs, parse_int=_nothing, parse_float=_nothing)
    except _RepeatedName as repeated:
        return repeated.name
    return None


def _check_pairs(pairs: list[tuple[str, object]]) -> None:
    """Raise _RepeatedName if a name occurs twice; what the object holds is not needed."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _RepeatedName(name)
        seen.add(name)


def _nothing(_: str) -> None:
    """Skip a number: huge ones are slow to convert."""
