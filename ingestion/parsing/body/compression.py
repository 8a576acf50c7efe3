"""Decompress gzip and zlib bodies in bounded memory, and detect the ones that end early."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO, Protocol

GZIP_MAGIC = b"\x1f\x8b"
# Names of gzip in Content-Encoding.
GZIP_ENCODINGS = ("gzip", "x-gzip")
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_PIECE_BYTES = 64 * 1024
_FED_BYTES = 8 * 1024
# Each takes time, and none contributes a byte.
MAX_EMPTY_MEMBERS = 100
_CHUNK_BYTES = 1 << 16


class CompressionError(Exception):
    """The compression is damaged or not supported."""


class Decoder(Protocol):
    """Turn the bytes of a response into the bytes of its body."""

    @property
    def is_complete(self) -> bool:
        """Whether the body could end here."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what can be decoded so far, in pieces of bounded size. Pass no bytes after the last ones.

        Raise CompressionError.
        """


class IdentityDecoder:
    """Pass on a body that is not compressed."""

    is_complete = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes unchanged."""
        if data:
            yield data


class Decompressor:
    """Decompress gzip (with one or several members) or zlib."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._has_begun = False
        # The members so far that contain nothing, and whether the current one contains something.
        self._empty_members = 0
        self._has_content = False

    @property
    def is_complete(self) -> bool:
        """Whether the compressed stream is complete, or never began."""
        return self._stream.eof or not self._has_begun

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes in pieces of at most 64 KiB, however far they expand."""
        if not data and not self.is_complete:
            # The stream is truncated: release what zlib held back for more input.
            yield self._stream.flush()
        # zlib copies what follows a member, so many short members in a long piece would take quadratic time.
        for start in range(0, len(data), _FED_BYTES):
            yield from self._decompress(data[start : start + _FED_BYTES])

    def _decompress(self, rest: bytes) -> Iterator[bytes]:
        while rest:
            if self._stream.eof:
                rest = rest.lstrip(b"\0")
                if not rest:
                    return  # padding after the last member
                self._begin_next_member()
            self._has_begun = True
            try:
                piece = self._stream.decompress(rest, _PIECE_BYTES)
            except zlib.error as error:
                raise CompressionError("The compressed data is invalid.") from error
            rest = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if piece:
                self._has_content = True
                yield piece

    def _begin_next_member(self) -> None:
        self._empty_members += not self._has_content
        if self._empty_members > MAX_EMPTY_MEMBERS:
            raise CompressionError("The compressed data consists of too many empty parts.")
        self._has_content = False
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)


def decoder_for(content_encoding: str) -> Decoder:
    """Return the decoder for a Content-Encoding header, "" for none. Raise CompressionError if it is not supported."""
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        return IdentityDecoder()
    if encoding in (*GZIP_ENCODINGS, "deflate"):
        return Decompressor()
    raise CompressionError(f'The content encoding "{content_encoding.strip()[:40]}" is not supported.')


class GzipReader:
    """Read the content of a gzip file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._decompressor = Decompressor()
        self._pieces = self._decompress(file)
        self._piece = b""

    @property
    def is_complete(self) -> bool:
        """Whether the data read so far could be the whole file."""
        return self._decompressor.is_complete

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end. Raise CompressionError."""
        piece = self._piece or next(self._pieces, b"")
        self._piece = piece[size:]
        return piece[:size]

    def _decompress(self, file: IO[bytes]) -> Iterator[bytes]:
        while chunk := file.read(_CHUNK_BYTES):
            yield from self._decompressor.feed(chunk)
        yield from filter(None, self._decompressor.feed(b""))
