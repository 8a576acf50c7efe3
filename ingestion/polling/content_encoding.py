"""Undoing the compression of an HTTP body piece by piece, in bounded memory, and telling whether it was all there."""

import zlib
from collections.abc import Iterator
from typing import Protocol

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_PIECE_BYTES = 64 * 1024


class UnreadableEncoding(Exception):  # noqa: N818 - named for what happened
    """A body compressed in a way that was not asked for, or not what its header says; the text is a sentence."""


class Decoder(Protocol):
    """Turns received bytes into the body's bytes."""

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yield what can be decoded by now, in pieces of at most 64 KiB. No bytes mean that none will follow.

        Raise UnreadableEncoding.
        """

    @property
    def is_at_end(self) -> bool:
        """Say whether the body could end here."""


class Plain:
    """A body that is not compressed."""

    is_at_end = True

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yield the bytes as they are."""
        if received:
            yield received


class Inflate:
    """A body in gzip (of one or several members) or zlib format."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._has_begun = False

    @property
    def is_at_end(self) -> bool:
        """Say whether the compressed stream is complete, or never began."""
        return self._stream.eof or not self._has_begun

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yield what the bytes inflate to. Never more than a piece is held, however far they inflate."""
        if not received and not self.is_at_end:
            # A broken stream: what the inflater still held back for more input is as good as the rest.
            yield self._stream.flush()
        rest = received
        while rest:
            if self._stream.eof:
                if not rest.strip(b"\0"):
                    return  # padding behind the last member
                self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
            self._has_begun = True
            try:
                piece = self._stream.decompress(rest, _PIECE_BYTES)
            except zlib.error:
                raise UnreadableEncoding("The answer says that it is compressed, but is not, or is damaged.") from None
            rest = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if piece:
                yield piece


def decoder_for(content_encoding: str) -> Decoder:
    """Return the decoder for a Content-Encoding header, "" for none. Raise UnreadableEncoding for another."""
    match content_encoding.strip().lower():
        case "" | "identity":
            return Plain()
        case "gzip" | "x-gzip" | "deflate":
            return Inflate()
    raise UnreadableEncoding("The answer is compressed in a way that was not asked for.")
