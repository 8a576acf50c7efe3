"""Packs answers for those who take them packed.

Like Django's middleware it adds a random length to each answer, and Django masks its CSRF token anew each time, so that
the length of a packed page tells no secret in it. Django's level is not to be set, and at it a page of a thousand tiles
takes longer to pack than to make: the quickest level takes a third of that time, for a third more bytes.
"""

from __future__ import annotations

import gzip
import secrets

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

LEVEL = 1
SHORTEST = 200
_HEADER_BYTES = 10
_HAS_FILE_NAME = 8


class CompressionMiddleware(GZipMiddleware):
    """Django's, which decides and streams, with a quicker hand for answers that are whole."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        takes_gzip = "gzip" in request.META.get("HTTP_ACCEPT_ENCODING", "")
        content = b"" if response.streaming else response.content  # type: ignore[attr-defined]
        if takes_gzip and len(content) >= SHORTEST and not response.has_header("Content-Encoding"):
            response.content = packed(content, self.max_random_bytes)  # type: ignore[attr-defined]
            response.headers["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined]
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Vary"] = ", ".join(filter(None, (response.headers.get("Vary"), "Accept-Encoding")))
            return response
        return super().process_response(request, response)


def packed(content: bytes, most_random_bytes: int) -> bytes:
    """`content` as gzip, with a file name of random length that hides how long it is."""
    plain = gzip.compress(content, LEVEL, mtime=0)
    header = bytearray(plain[:_HEADER_BYTES])
    header[3] |= _HAS_FILE_NAME
    return bytes(header) + b"a" * secrets.randbelow(most_random_bytes) + b"\0" + plain[_HEADER_BYTES:]
