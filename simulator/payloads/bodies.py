"""Bodies of responses: text around rows, generated piece by piece, complete or damaged."""

import codecs
import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from simulator.model.transport import Decision, SentRow, disturb

_GZIP_WINDOW = 31


class Chunk(NamedTuple):
    """Part of a body in bytes, the number of complete rows in it, and how many of those are garbage."""

    data: bytes
    rows: int = 0
    garbage_rows: int = 0


class _Text(NamedTuple):
    """Part of a body before it is encoded."""

    text: str
    rows: int = 0
    garbage_rows: int = 0


@dataclass(frozen=True)
class Body:
    """`opening`, then the rows of all pieces with `separator` between them, then `closing`.

    garbage makes an unreadable row; None if rows must not be changed. `headers` are further headers of the response.
    """

    content_type: str
    opening: str
    pieces: Callable[[], Iterable[list[str]]]
    closing: str
    row_count: int
    separator: str = ", "
    garbage: Callable[[random.Random], str] | None = None
    encoding: str = "utf-8"
    gzip: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def chunks(self, decision: Decision | None = None) -> Iterator[Chunk]:
        """Yield the body as bytes; if the decision is to cut it off, it ends in the middle of a row."""
        encoder = codecs.getincrementalencoder(self.encoding)(errors="replace")
        compressor = zlib.compressobj(wbits=_GZIP_WINDOW) if self.gzip else None
        for text, rows, garbage_rows in self._texts(decision):
            data = encoder.encode(text)
            if compressor:
                # Flushed each time, so that a body that is cut off can be decompressed up to there.
                data = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
            yield Chunk(data, rows, garbage_rows)
        if compressor and not _is_cut(decision):
            yield Chunk(compressor.flush())

    def _texts(self, decision: Decision | None) -> Iterator[_Text]:
        cut_row = None
        if decision and _is_cut(decision):
            cut_row = int(decision.chance.random() * self.row_count)
            if not self.row_count:
                yield _Text(self.opening[: len(self.opening) // 2])
                return
        yield _Text(self.opening)
        sent_rows = 0
        for rows in self.pieces():
            sent = self._sent(rows, decision)
            before = self.separator if sent_rows and sent else ""
            if cut_row is not None and sent_rows + len(sent) > cut_row:
                whole, broken = sent[: cut_row - sent_rows], sent[cut_row - sent_rows].text
                rest = broken[: max(1, len(broken) // 2)]
                yield self._joined(whole, before, self.separator + rest if whole else rest)
                return
            yield self._joined(sent, before)
            sent_rows += len(sent)
        yield _Text(self.closing)

    def _sent(self, rows: list[str], decision: Decision | None) -> list[SentRow]:
        if decision is None or self.garbage is None or not decision.settings.changes_rows:
            return [SentRow(row, is_garbage=False) for row in rows]
        return disturb(rows, decision, self.garbage)

    def _joined(self, rows: list[SentRow], before: str, after: str = "") -> _Text:
        text = before + self.separator.join(row.text for row in rows) + after
        return _Text(text, len(rows), sum(row.is_garbage for row in rows))


def _is_cut(decision: Decision | None) -> bool:
    return decision is not None and decision.outcome == "cut_off"
