"""Identify what kind of file a body is by its first bytes, and name those that hold no table."""

from __future__ import annotations

import re
from enum import Enum, auto

from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnreadableBody

_HTML = re.compile(rb"<(?:!doctype html|html|head|body|title|script|div|h1|p\b)", re.IGNORECASE)
_MARKUP = re.compile(rb"<(?:\?xml|!--|!doctype|[A-Za-z_][\w.:-]*(?:\s[^<>]*)?/?>)", re.IGNORECASE)
_LINE_PROTOCOL = re.compile(
    rb"[A-Za-z_][^\s,=]*(?:,[^\s,=]+=[^\s,=]+)* [^\s,=]+=(?:-?[0-9.]+i?|\"[^\"]*\"|[tf]\w*)"
    rb"(?:,[^\s,=]+=[^\s,]+)*(?: -?[0-9]{10,19})?\r?\n?"
)
_ZIP = b"PK\x03\x04"
# The names of members by which a workbook is known.
_XLSX_MEMBERS = (b"[Content_Types].xml", b"xl/")
_KINDS = (
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (XLS)"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"{\\rtf", "a rich text document (RTF)"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)


class Container(Enum):
    """A kind of file that contains tables."""

    ZIP = auto()
    XLSX = auto()


def identify(start: bytes) -> Container | None:
    """Return what contains the table if it is a container; None for text. Raise UnreadableBody for what is neither.

    `start` are the first bytes of a decompressed body.
    """
    if start.startswith(_ZIP):
        return Container.XLSX if any(name in start for name in _XLSX_MEMBERS) else Container.ZIP
    for magic, what in _KINDS:
        if start.startswith(magic):
            raise UnreadableBody(Reason.UNSUPPORTED_FILE, what=what, why="")
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _HTML.match(text):
        raise UnreadableBody(Reason.HTML_INSTEAD_OF_DATA)
    if _MARKUP.match(text):
        if re.search(rb"<html\b", text, re.IGNORECASE):
            raise UnreadableBody(Reason.HTML_INSTEAD_OF_DATA)
        raise UnreadableBody(Reason.UNSUPPORTED_FILE, what="XML", why="")
    if _LINE_PROTOCOL.match(text.split(b"\n", 1)[0]):
        raise UnreadableBody(Reason.UNSUPPORTED_FILE, what="InfluxDB line protocol", why="")
    return None
