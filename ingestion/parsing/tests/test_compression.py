"""Compressed bodies are decompressed piece by piece, whatever their members, padding and end."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.parsing.body.compression import CompressionError, Decompressor, GzipReader, decoder_for

TEXT = b"2026-11-23T10:11:11,-74.31\n" * 10_000


def decompressed(data: bytes, chunk_bytes: int) -> tuple[bytes, bool]:
    decompressor = Decompressor()
    chunks = [data[start : start + chunk_bytes] for start in range(0, len(data), chunk_bytes)]
    content = b"".join(piece for chunk in [*chunks, b""] for piece in decompressor.feed(chunk))
    return content, decompressor.is_complete


@given(chunk_bytes=st.integers(1, 3_000))
def test_members_and_padding_may_be_split_anywhere(chunk_bytes: int) -> None:
    data = gzip.compress(TEXT) + gzip.compress(b"more") + b"\0" * 512
    assert decompressed(data, chunk_bytes) == (TEXT + b"more", True)


def test_zlib_is_decompressed_too() -> None:
    assert decompressed(zlib.compress(TEXT), 1_000) == (TEXT, True)


def test_a_truncated_stream_gives_what_it_contains_and_is_incomplete() -> None:
    content, is_complete = decompressed(gzip.compress(TEXT)[:-20], 100)
    assert TEXT.startswith(content)
    assert not is_complete


def test_pieces_are_small_however_far_the_data_expands() -> None:
    pieces = list(Decompressor().feed(gzip.compress(b"\0" * (8 << 20))))
    assert max(map(len, pieces)) <= 64 * 1024
    assert sum(map(len, pieces)) == 8 << 20


@given(sizes=st.lists(st.integers(1, 100_000), min_size=1, max_size=5))
def test_a_reader_returns_at_most_the_requested_size(sizes: list[int]) -> None:
    reader = GzipReader(io.BytesIO(gzip.compress(TEXT)))
    parts = [reader.read(size) for size in sizes]
    assert all(len(part) <= size for part, size in zip(parts, sizes, strict=True))
    rest = iter(lambda: reader.read(1 << 20), b"")
    assert b"".join([*parts, *rest]) == TEXT
    assert reader.is_complete


def test_damaged_data_and_unknown_encodings_are_errors() -> None:
    with pytest.raises(CompressionError):
        list(Decompressor().feed(b"not compressed"))
    with pytest.raises(CompressionError, match=r'"br" is not supported\.$'):
        decoder_for("br")
