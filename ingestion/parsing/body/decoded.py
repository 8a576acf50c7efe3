"""Read a body as a bounded stream of UTF-8 bytes, whatever its compression and encoding."""

from __future__ import annotations

import codecs
import ctypes
import re
import tempfile
from collections.abc import Iterator
from typing import IO, Protocol, cast

import numpy as np

from ingestion.parsing.body.compression import GZIP_MAGIC, CompressionError, GzipReader
from ingestion.parsing.limits import (
    MAX_BLOCK_LINES,
    MAX_LINE_BYTES,
    SPOOLED_BYTES,
    check_line_count,
    exceeded,
    too_large,
)
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnreadableBody

DEFAULT_MAX_BYTES = 1 << 30
_NEWLINE = ord("\n")
_CHUNK_BYTES = 1 << 18
_LINE_CHUNK_BYTES = 1 << 12
_SNIFFED_BYTES = 1 << 12
# A longer body takes so much memory that what earlier ones have left is returned first.
_LARGE_BYTES = 1 << 20
# glibc's; other C libraries have none.
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
# Of every second byte of Latin text in UTF-16.
_MIN_SHARE_OF_NULS = 0.7
# Declared by default rather than by knowledge: whether the body is UTF-8 is seen in it.
_UNRELIABLE_CHARSETS = frozenset({"utf-8", "iso8859-1", "ascii"})
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The digits and the comma of EBCDIC, and characters that no such text has: the digits and the comma of ASCII.
_EBCDIC = bytes((*range(0xF0, 0xFA), 0x6B))
_NOT_EBCDIC = b"0123456789,;"
_MIN_SHARE_OF_EBCDIC = 0.2
# A word with a letter beyond the signs of Latin-1: which one it is depends on the encoding.
_WORD_OF_ENCODING = re.compile(r"[^\W\d_]*[^\x00-\xbf\W\d_][^\W\d_]*")


class DecodedBody:
    """A decompressed and decoded body, which can be read repeatedly from its start.

    `encoding` is the mapping's; "" means that of the byte order mark, else UTF-8. Reading more than `max_bytes` of the
    decompressed body raises UnreadableBody (too_large). `is_cut_off` starts as reported by the transport, and is set
    when the body turns out to end early.
    """

    def __init__(self, body: IO[bytes], *, encoding: str, max_bytes: int, is_cut_off: bool) -> None:
        self._body = body if body.seekable() else _rewindable(body, max_bytes)
        self._start = self._body.tell()
        self._encoding = encoding
        self._max_bytes = max_bytes
        self.is_cut_off = is_cut_off

    def open(self) -> ByteStream:
        """Return a new stream of the whole body, decompressed, in UTF-8 and without a byte order mark.

        If no encoding is declared, bytes that are not UTF-8 pass unchanged: `to_utf8` converts them line by line.
        """
        stream, encoding = self._decompressed(), self._encoding
        first = stream.peek(_SNIFFED_BYTES)
        for mark, mark_encoding in _BYTE_ORDER_MARKS:
            if first.startswith(mark):  # takes precedence over the mapping
                stream.read(len(mark))
                encoding = "" if mark_encoding == "utf-8" else mark_encoding
                break
        else:
            encoding = encoding or _encoding_without_mark(first)
        if encoding:
            stream = ByteStream(_TranscodedBody(stream, encoding, self), 2 * self._max_bytes)
            first = stream.peek(_SNIFFED_BYTES)
        if b"\r" in first and b"\n" not in first:
            return ByteStream(_WithLineFeeds(stream), 2 * self._max_bytes)
        return stream

    def decompressed_start(self, size: int) -> bytes:
        """Return the first bytes of the decompressed body as they are."""
        return self._decompressed().peek(size)

    def decompressed_file(self, limit: int) -> IO[bytes]:
        """Return the decompressed body as it is, in a file. Raise UnreadableBody (too_large)."""
        return _rewindable(cast("IO[bytes]", self._decompressed()), limit)

    def _decompressed(self) -> ByteStream:
        self._body.seek(self._start)
        decompressed: _Reader = _GzipBody(self._body, self) if self._is_gzip() else self._body
        return ByteStream(decompressed, self._max_bytes)

    def read(self, limit: int) -> bytes:
        """Return the whole body. Raise UnreadableBody (too_large) if it is longer than `limit`."""
        data = self.open().read(limit + 1)
        if len(data) > limit:
            raise too_large(limit)
        return data

    def _is_gzip(self) -> bool:
        first = self._body.read(len(GZIP_MAGIC))
        self._body.seek(self._start)
        return first == GZIP_MAGIC


class _Reader(Protocol):
    """A stream of which `read` may return fewer bytes than requested, none only at the end."""

    def read(self, size: int, /) -> bytes: ...


class ByteStream:
    """Read exact sizes and lines from a reader that may return fewer bytes than requested.

    Raise UnreadableBody (too_large) when more than `limit` bytes have been read.
    """

    def __init__(self, reader: _Reader, limit: int) -> None:
        self._reader = reader
        self._limit = limit
        self._count = 0
        self._ahead = b""

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        parts, missing = [self._ahead[:size]], size - len(self._ahead[:size])
        self._ahead = self._ahead[size:]
        while missing and (part := self._reader.read(missing)):
            is_large = self._count > _LARGE_BYTES
            self._count += len(part)
            if self._count > self._limit:
                raise too_large(self._limit)
            if self._count > _LARGE_BYTES and not is_large:
                return_freed_memory()
            parts.append(part)
            missing -= len(part)
        return parts[1] if len(parts) == 2 and not parts[0] else b"".join(parts)

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end, without consuming them."""
        self._ahead = self.read(max(size, len(self._ahead)))
        return self._ahead[:size]

    def readline(self, limit: int) -> bytes:
        """Return the next line with its line break; at most `limit` bytes of it."""
        if end := self._ahead.find(b"\n", 0, limit) + 1:  # as for most lines
            return self.read(end)
        size = _LINE_CHUNK_BYTES
        while (end := self.peek(size).find(b"\n")) < 0 and size < limit and len(self._ahead) >= size:
            size *= 4
        return self.read(min(end + 1 if end >= 0 else limit, limit))

    @property
    def is_at_end(self) -> bool:
        """Whether all bytes have been read."""
        return not self.peek(1)


def return_freed_memory() -> None:
    """Return the free pages between blocks in use to the operating system, which the C library keeps for later ones."""
    if _trim is not None:
        _trim(0)


def read_blocks(stream: ByteStream, size: int, max_rows: int | None = None) -> Iterator[bytes]:
    """Yield the rest of a stream in blocks of whole lines, of about `size` bytes and at most MAX_BLOCK_LINES lines.

    The last block ends with the body. Raise UnreadableBody (too_large) for more lines than `max_rows` rows can have.
    """
    count = 0
    for block in _blocks_of_size(stream, size):
        block_lines = line_count(block)
        count += block_lines
        check_line_count(count, max_rows)
        if block_lines <= MAX_BLOCK_LINES:
            yield block
        else:
            yield from _parts_of_block(block)


def line_count(data: bytes) -> int:
    """Return the number of line breaks, several times as fast as `bytes.count` where lines are short."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == _NEWLINE))


def _parts_of_block(block: bytes) -> Iterator[bytes]:
    """Halve a block of short lines until no part has too many."""
    if line_count(block) <= MAX_BLOCK_LINES:
        yield block
        return
    middle = block.rfind(b"\n", 0, len(block) // 2) + 1 or block.find(b"\n") + 1
    yield from _parts_of_block(block[:middle])
    yield from _parts_of_block(block[middle:])


def _blocks_of_size(stream: ByteStream, size: int) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(size):
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join((rest, memoryview(chunk)[:end]))
            rest = b""
        rest += chunk[end:]
        if len(rest) > MAX_LINE_BYTES:
            raise exceeded(f"a line is longer than {MAX_LINE_BYTES:,} bytes")
    if rest:
        yield rest


def to_utf8(data: bytes) -> bytes:
    """Convert lines that are not UTF-8 from cp1252, or from Latin-1 if they are not cp1252 either."""
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return b"\n".join(_line_to_utf8(line) for line in data.split(b"\n"))
    return data


def declared_encoding(content_type: str) -> str:
    """Return the encoding that a content type declares, "" for none, an unknown one or one to be detected."""
    match = _CHARSET.search(content_type)
    if match is None:
        return ""
    try:
        name = codecs.lookup(match[1]).name
        b"".decode(name)  # not every codec is an encoding of text
    except (LookupError, ValueError):
        return ""
    return "" if name in _UNRELIABLE_CHARSETS else name


def names_in_cp1252(data: bytes) -> str:
    """Return the first word of lines that are not UTF-8 whose letters depend on the encoding, "" if there is none."""
    try:
        data.decode()
    except UnicodeDecodeError:
        match = _WORD_OF_ENCODING.search(to_utf8(data).decode())
        return match[0] if match else ""
    return ""


def seems_ebcdic(start: bytes) -> bool:
    """Return whether the beginning of a body is a table in EBCDIC."""
    count = sum(map(start.count, (bytes((each,)) for each in _EBCDIC)))
    return count > _MIN_SHARE_OF_EBCDIC * len(start) > 0 and not any(byte in _NOT_EBCDIC for byte in start)


def _encoding_without_mark(start: bytes) -> str:
    """Return the encoding of Latin text in UTF-16 or UTF-32 without a byte order mark, "" for anything else."""
    count = len(start) // 2
    if count < 8 or b"\0" not in start:
        return ""
    quarters = [start[each : 4 * (count // 2) : 4].count(0) / (count // 2) for each in range(4)]
    for encoding, letter in (("utf-32-le", 0), ("utf-32-be", 3)):
        if all((share > _MIN_SHARE_OF_NULS) == (each != letter) for each, share in enumerate(quarters)):
            return encoding
    nuls = (start[0 : 2 * count : 2].count(0) / count, start[1 : 2 * count : 2].count(0) / count)
    if nuls[1] > _MIN_SHARE_OF_NULS and nuls[0] < 1 - _MIN_SHARE_OF_NULS:
        return "utf-16-le"
    return "utf-16-be" if nuls[0] > _MIN_SHARE_OF_NULS and nuls[1] < 1 - _MIN_SHARE_OF_NULS else ""


def _line_to_utf8(line: bytes) -> bytes:
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding).encode()
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1").encode()


def _rewindable(body: IO[bytes], max_bytes: int) -> IO[bytes]:
    """Copy a body so that it can be read repeatedly: in memory if it is small, else in a temporary file."""
    copy = tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115  (lives as long as the body)
    stream = ByteStream(body, max_bytes)
    while data := stream.read(_CHUNK_BYTES):
        copy.write(data)
    copy.seek(0)
    return cast("IO[bytes]", copy)


class _GzipBody:
    """Decompress a gzip body; mark one that ends early as cut off."""

    def __init__(self, file: IO[bytes], body: DecodedBody) -> None:
        self._reader = GzipReader(file)
        self._body = body

    def read(self, size: int, /) -> bytes:
        try:
            data = self._reader.read(size)
        except CompressionError as error:
            raise UnreadableBody(Reason.UNDECODABLE, why="its gzip compression is damaged") from error
        self._body.is_cut_off |= not data and not self._reader.is_complete
        return data


class _WithLineFeeds:
    """Replace the carriage returns that end the lines of a body by line feeds."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        return self._stream.read(size).replace(b"\r", b"\n")


class _TranscodedBody:
    """Transcode a stream from a declared encoding to UTF-8. Raise UnreadableBody if the bytes do not match it."""

    def __init__(self, stream: ByteStream, encoding: str, body: DecodedBody) -> None:
        self._stream = stream
        self._encoding = encoding
        self._body = body
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
        except UnicodeError as error:  # the codec of UTF-16 raises it without a byte order mark
            if not data:  # the body ends within a character
                self._body.is_cut_off = True
                return ""
            raise UnreadableBody(Reason.UNDECODABLE, why=f"it is not {self._encoding}") from error
