"""ZIP archives and workbooks that exhaust a reader which unpacks them, or believes what they declare."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable, Iterable, Iterator

from tests.hostile_bodies.bodies import HEADER

_WORKBOOK = (
    '<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    '<sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
_RELATIONS = (
    '<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"/></Relationships>'
)
_ROOT = (
    '<Relationships><Relationship Id="rId1" Target="xl/workbook.xml" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>'
)
_SHEET = (b"<worksheet><sheetData>", b"</sheetData></worksheet>")
_ROW = b"<row>" + b"<c><v>1</v></c>" * 7 + b"</row>"


def archives(size_bytes: int) -> dict[str, Callable[[], bytes]]:
    """Return how to make archives that unpack to about `size_bytes`, or are of about that size."""
    return {
        "ZIP of a large table": lambda: zipped({"a.csv": _table(size_bytes // 45)}),
        "ZIP of line breaks": lambda: zipped({"a.csv": [b"\n" * size_bytes]}),
        "ZIP of endless members": lambda: zipped({str(each): [] for each in range(size_bytes // 500)}),
        "ZIP in a ZIP": lambda: zipped({"a.csv": [zipped({"a.csv": [bytes(size_bytes)]})]}),
        "workbook of cells": lambda: workbook(_repeated(_ROW, size_bytes)),
        "workbook of as many texts as it may have": lambda: workbook(
            b"<row>%s</row>" % (b'<c t="str"><v>a text of 20 chars</v></c>' * 7)
            for _ in range(min(size_bytes // 300, 100_000))
        ),
        "workbook of two corners": lambda: workbook(
            [b'<row><c r="A1"><v>1</v></c><c r="XFD1048576"><v>1</v></c></row>']
        ),
        "workbook of one endless row": lambda: workbook(
            [b"<row>", *_repeated(b"<c><v>1</v></c>", size_bytes), b"</row>"]
        ),
        "workbook of one endless text": lambda: workbook(
            [b'<row><c t="str"><v>', *_repeated(b"a", size_bytes), b"</v></c></row>"]
        ),
        "workbook of line breaks": lambda: workbook(
            [b'<row><c t="str"><v>', *_repeated(b"\n", size_bytes), b"</v></c></row>"]
        ),
        "workbook of a repeated text": lambda: workbook(
            _repeated(b'<row><c t="s"><v>0</v></c></row>', size_bytes),
            [b"<sst><si><t>", *_repeated(b"a", min(size_bytes, 4 << 20)), b"</t></si></sst>"],
        ),
        "workbook of texts": lambda: workbook([], [b"<sst>", *_repeated(b"<si><t>a</t></si>", size_bytes), b"</sst>"]),
        "workbook of one endless tag": lambda: workbook([b'<row a="', *_repeated(b"a", size_bytes), b'"/>']),
        "workbook of elements in elements": lambda: workbook(_repeated(b"<a>", size_bytes)),
        "workbook of entities": lambda: workbook([b"&a;"], start=b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaaaaaaaaaa">]>'),
    }


def zipped(members: dict[str, Iterable[bytes]]) -> bytes:
    """Return a ZIP archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, parts in members.items():
            with archive.open(name, "w") as member:
                for part in parts:
                    member.write(part)
    return packed.getvalue()


def workbook(rows: Iterable[bytes], texts: Iterable[bytes] = (b"<sst></sst>",), *, start: bytes = b"") -> bytes:
    """Return a workbook with one sheet. Random bytes in it hide how well the rest is compressed."""
    return zipped(
        {
            "[Content_Types].xml": [b"<Types/>"],
            "_rels/.rels": [_ROOT.encode()],
            "xl/workbook.xml": [_WORKBOOK.encode()],
            "xl/_rels/workbook.xml.rels": [_RELATIONS.encode()],
            "xl/media/picture.png": [random.Random(0).randbytes(1 << 20)],
            "xl/sharedStrings.xml": texts,
            "xl/worksheets/sheet1.xml": [start, _SHEET[0], *rows, _SHEET[1]],
        }
    )


def _table(rows: int) -> Iterator[bytes]:
    yield HEADER
    for number in range(rows):
        yield b"A,f,u,%d,2026-11-23T10:11:11,s,c\n" % random.Random(number).getrandbits(60)


def _repeated(unit: bytes, size_bytes: int) -> Iterator[bytes]:
    part = unit * max(1, (1 << 16) // len(unit))
    return (part for _ in range(size_bytes // len(part)))
