"""A delivered body as a bounded stream of bytes in UTF-8, whatever it was packed and written in."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Iterator
from typing import IO, Protocol, cast

from ingestion.parsing.compression import GZIP_MAGIC, CompressionError, GzipReader
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnreadableBody

DEFAULT_MAX_BYTES = 1 << 30
# A CSV line, or a header's; what is longer is no table.
MAX_LINE_BYTES = 1 << 20
_SPOOLED_BYTES = 8 << 20
_CHUNK_BYTES = 1 << 18
_LINE_CHUNK_BYTES = 1 << 12
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class DecodedBody:
    """A body that can be read more than once, from its start each time.

    `encoding` is the mapping's; "" means what a byte order mark says, else UTF-8. `max_bytes` bounds the unpacked
    body: beyond it reading raises UnreadableBody (too_large). `is_cut_off` becomes true when reading meets an end that
    was not meant; it starts as the transport saw it.
    """

    def __init__(self, body: IO[bytes], *, encoding: str, max_bytes: int, is_cut_off: bool) -> None:
        self._body = body if body.seekable() else _spooled(body, max_bytes)
        self._start = self._body.tell()
        self._encoding = encoding
        self._max_bytes = max_bytes
        self.is_cut_off = is_cut_off

    def open(self) -> ByteStream:
        """A fresh stream of the whole body: unpacked, without a byte order mark, in UTF-8 but for stray bytes.

        Bytes that are not UTF-8 in a body of no declared encoding pass unchanged: `to_utf8` settles them by the line.
        """
        self._body.seek(self._start)
        decompressed: _Reader = _GzipBody(self._body, self) if self._is_gzip() else self._body
        stream, encoding = ByteStream(decompressed, self._max_bytes), self._encoding
        first = stream.peek(4)
        for mark, marked in _MARKS:
            if first.startswith(mark):  # a mark knows better than a mapping
                stream.read(len(mark))
                encoding = "" if marked == "utf-8" else marked
                break
        return ByteStream(_Transcoded(stream, encoding, self), 2 * self._max_bytes) if encoding else stream

    def read(self, limit: int) -> bytes:
        """The whole body; UnreadableBody (too_large) if it is longer than `limit`."""
        data = self.open().read(limit + 1)
        if len(data) > limit:
            raise too_large(limit)
        return data

    def _is_gzip(self) -> bool:
        first = self._body.read(len(GZIP_MAGIC))
        self._body.seek(self._start)
        return first == GZIP_MAGIC


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


class ByteStream:
    """Reads on and on from a reader that may answer with less than was asked for.

    Raises UnreadableBody (too_large) once more than `limit` bytes have come.
    """

    def __init__(self, reader: _Reader, limit: int) -> None:
        self._reader = reader
        self._limit = limit
        self._count = 0
        self._ahead = b""

    def read(self, size: int) -> bytes:
        """`size` bytes, fewer only at the end."""
        parts, missing = [self._ahead[:size]], size - len(self._ahead[:size])
        self._ahead = self._ahead[size:]
        while missing and (part := self._reader.read(missing)):
            self._count += len(part)
            if self._count > self._limit:
                raise too_large(self._limit)
            parts.append(part)
            missing -= len(part)
        return parts[1] if len(parts) == 2 and not parts[0] else b"".join(parts)

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end, which will be read again."""
        self._ahead = self.read(max(size, len(self._ahead)))
        return self._ahead[:size]

    def readline(self, limit: int) -> bytes:
        """The next line with its line break; at most `limit` bytes of it."""
        size = _LINE_CHUNK_BYTES
        while (end := self.peek(size).find(b"\n")) < 0 and size < limit and len(self._ahead) >= size:
            size *= 4
        return self.read(min(end + 1 if end >= 0 else limit, limit))

    @property
    def is_at_end(self) -> bool:
        return not self.peek(1)


def read_blocks(stream: ByteStream, size: int) -> Iterator[bytes]:
    """The rest of a stream in blocks of about `size` bytes that end where lines end; the last as the body ends."""
    rest = b""
    while chunk := stream.read(size):
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join((rest, memoryview(chunk)[:end]))
            rest = b""
        rest += chunk[end:]
        if len(rest) > MAX_LINE_BYTES:
            raise UnreadableBody(Reason.TOO_LARGE, why="a line is longer than 1 MiB")
    if rest:
        yield rest


def to_utf8(data: bytes) -> bytes:
    """Lines in UTF-8: a line that is not, is taken for cp1252 (Latin-1 where that has no such character)."""
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return b"\n".join(_line_as_utf8(line) for line in data.split(b"\n"))
    return data


def too_large(limit: int) -> UnreadableBody:
    """The error of a body longer than `limit` bytes."""
    return UnreadableBody(Reason.TOO_LARGE, why=f"it is longer than {limit:,} bytes")


def _line_as_utf8(line: bytes) -> bytes:
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding).encode()
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1").encode()


def _spooled(body: IO[bytes], max_bytes: int) -> IO[bytes]:
    """A copy that can be read again: in memory while it is small, else in a file that vanishes with it."""
    copy = tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES)  # noqa: SIM115  (lives as long as the body)
    stream = ByteStream(body, max_bytes)
    while data := stream.read(_CHUNK_BYTES):
        copy.write(data)
    copy.seek(0)
    return cast("IO[bytes]", copy)


class _GzipBody:
    """Decompress a gzip body; mark one that ends early as cut off."""

    def __init__(self, file: IO[bytes], opened: DecodedBody) -> None:
        self._reader = GzipReader(file)
        self._opened = opened

    def read(self, size: int, /) -> bytes:
        try:
            data = self._reader.read(size)
        except CompressionError as error:
            why = "its gzip compression is damaged"
            raise UnreadableBody(Reason.UNDECODABLE, why=why) from error
        self._opened.is_cut_off |= not data and not self._reader.is_complete
        return data


class _Transcoded:
    """A stream of a declared encoding, in UTF-8; UnreadableBody where the bytes are not of that encoding."""

    def __init__(self, stream: ByteStream, encoding: str, opened: DecodedBody) -> None:
        self._stream = stream
        self._encoding = encoding
        self._opened = opened
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""

    def read(self, size: int, /) -> bytes:
        while not self._ready:
            data = self._stream.read(_CHUNK_BYTES)
            self._ready = self._decode(data).encode("utf-8", "replace")
            if not data:
                break
        ready, self._ready = self._ready[:size], self._ready[size:]
        return ready

    def _decode(self, data: bytes) -> str:
        try:
            return self._decoder.decode(data, final=not data)
        except UnicodeError as error:  # not only UnicodeDecodeError: UTF-16 without its mark is told this way
            if not data:  # the body ends within a character
                self._opened.is_cut_off = True
                return ""
            why = f"it is not {self._encoding}"
            raise UnreadableBody(Reason.UNDECODABLE, why=why) from error
