"""How bodies are read: strictly, by msgspec, and never beyond a size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from core.api.errors import TooLargeBody

# A form's worth of JSON; bulk pushes have a limit of their own.
MAX_JSON_BYTES = 1 << 20


class JSONParser(BaseParser):
    """JSON without NaN, infinities and half characters: none of them can be stored."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        data = stream.read(MAX_JSON_BYTES + 1)
        if len(data) > MAX_JSON_BYTES:
            raise TooLargeBody(f"The body is longer than {MAX_JSON_BYTES:,} bytes.")
        try:
            return msgspec.json.decode(data)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from error
