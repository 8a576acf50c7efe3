"""Bodies that exceed a limit in one particular way, as streams of bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count

HEADER = b"customer_id,facility_id,unit_id,temperature,timestamp,sensor_id,city\n"
_STATUS_HEADER = HEADER.replace(b"city", b"status")
_PART_BYTES = 1 << 16
_TIME = b"2026-11-23T10:11:11"

# Yields about as many bytes as requested; the receiver stops reading where it likes.
Parts = Callable[[int], Iterable[bytes]]


@dataclass(frozen=True)
class HostileBody:
    """A body: its content type, and what yields it up to a size. `is_pushable`: pushes take such bodies too."""

    name: str
    content_type: str
    parts: Parts
    is_pushable: bool = True

    def compressed(self, size_bytes: int) -> bytes:
        """Return the body as gzip, however long it is."""
        return gzipped(self.parts(size_bytes))

    def compressed_for_push(self, size_bytes: int) -> bytes:
        """Return the same with the column names that a push uses."""
        first, *others = self.parts(size_bytes)
        return gzipped([in_words_of_a_push(first), *others])


def in_words_of_a_push(header: bytes) -> bytes:
    """Return a header with the column names of a push."""
    return header.replace(b"unit_id", b"storage_unit_id").replace(b"timestamp", b"recorded_at")


def gzipped(parts: Iterable[bytes]) -> bytes:
    """Compress parts of a body to one gzip member."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([*map(packer.compress, parts), packer.flush()])


def _repeated(unit: bytes, before: bytes = b"", after: bytes = b"") -> Parts:
    part = unit * max(1, _PART_BYTES // len(unit))

    def parts(size_bytes: int) -> Iterator[bytes]:
        yield before
        for _ in range(size_bytes // len(part)):
            yield part
        yield after

    return parts


def _numbered(template: bytes, before: bytes = b"", after: bytes = b"") -> Parts:
    """Repeat a template with a number in place of %d, another one each time."""

    def parts(size_bytes: int) -> Iterator[bytes]:
        yield before
        number, written = count(), 0
        while written < size_bytes:
            part = b"".join(template % next(number) for _ in range(500))
            written += len(part)
            yield part
        yield after

    return parts


def _csv(name: str, parts: Parts, *, is_pushable: bool = True) -> HostileBody:
    return HostileBody(f"CSV of {name}", "text/csv", parts, is_pushable)


def _json(name: str, parts: Parts, *, is_pushable: bool = True) -> HostileBody:
    return HostileBody(f"JSON of {name}", "application/json", parts, is_pushable)


def _lines(name: str, parts: Parts) -> HostileBody:
    return HostileBody(f"JSON lines of {name}", "application/x-ndjson", parts)


_ROW = b'{"facility_id": "f", "unit_id": "u", "temperature": -70.5, "timestamp": "2026-11-23T10:11:11"'

TABLES = [
    _csv("one endless line of cells", _repeated(b"1,")),
    _csv("line breaks", _repeated(b"\n")),
    _csv("line breaks below a header", _repeated(b"\n", HEADER)),
    _csv("carriage returns", _repeated(b"\r", HEADER)),
    _csv("quotes", _repeated(b'"', HEADER)),
    _csv("quoted cells", _repeated(b'"A","f","u","-70","' + _TIME + b'","s","Oxford, GB"\n', HEADER)),
    _csv("quoted cells in an endless line", _repeated(b'"",', HEADER)),
    _csv("an endless header", _repeated(b"temperature,", b"timestamp,")),
    _csv("rows wider than the header", _repeated(b"1," * 3000 + b"\n", HEADER)),
    _csv("headers", _repeated(HEADER)),
    _csv("alternating headers", _repeated(HEADER + b"time,unit,temp\n", HEADER)),
    _csv("delimiters only", _repeated(b",,,,,,\n", HEADER)),
    _csv("rows of one character", _repeated(b"1\n", HEADER)),
    _csv("one huge cell", _repeated(b"a", HEADER + b"A,")),
    _csv("large cells", _repeated(b"A,f," + b"u" * 60_000 + b",-70," + _TIME + b",s,c\n", HEADER)),
    _csv("NUL characters", _repeated(b"\0", HEADER)),
    _csv("characters that are no UTF-8", _repeated(b"\xff\n", HEADER)),
    _csv("huge numbers", _repeated(b"A,f,u," + b"9" * 50_000 + b"," + _TIME + b",s,c\n", HEADER)),
    _csv("a unit per row", _numbered(b"A,f,u%d,-70," + _TIME + b",s,c\n", HEADER), is_pushable=False),
    _csv("a customer per row", _numbered(b"A%d,f,u,-70," + _TIME + b",s,c\n", HEADER), is_pushable=False),
    _csv("a city per row", _numbered(b"A,f,u,-70," + _TIME + b",s,c%d\n", HEADER), is_pushable=False),
    _csv("a facility per row", _numbered(b"A,f%d,u,-70," + _TIME + b",s,c\n", HEADER), is_pushable=False),
    _csv("a sensor per row", _numbered(b"A,f,u,-70," + _TIME + b",s%d,c\n", HEADER), is_pushable=False),
    _csv("a different error per row", _numbered(b"A,f,u,x%d," + _TIME + b",s,c\n", HEADER)),
    _csv("a different status per row", _numbered(b"A,f,u,-70," + _TIME + b",s,s%d\n", _STATUS_HEADER)),
    _csv("dates without an order", _numbered(b'A,"f",u,-70,05/06/2026 10:11,s,%d\n', HEADER)),
    _csv("local times of a repeated hour", _numbered(b"A,f,u,-70,2026-10-25 01:30:00,s,c%d\n", HEADER)),
]
DOCUMENTS = [
    _json("numbers", _repeated(b"1,", b"[", b"1]")),
    _json("empty objects", _repeated(b"{},", b"[", b"{}]")),
    _json("empty lists", _repeated(b"[],", b"[", b"[]]")),
    _json("lists in lists", _repeated(b"[", b'{"readings":')),
    _json("objects in objects", _repeated(b'{"a":')),
    _json("rows of 30 levels", _repeated(b"[" * 30 + b"]" * 30 + b",", b"[", b"1]")),
    _json("one endless string", _repeated(b"a", b'[{"unit_id": "')),
    _json("escaped characters", _repeated(b"\\u00e9", b'[{"unit_id": "')),
    _json("one endless number", _repeated(b"9", b'[{"temperature": ')),
    _json("huge numbers", _repeated(b'{"temperature":' + b"9" * 100_000 + b"},", b"[", b"{}]")),
    _json("long names", _repeated(b'{"' + b"k" * 100_000 + b'": 1},', b"[", b"{}]")),
    _json("an object with endless members", _numbered(b'"k%d":1,', b"[{", b'"z":1}]')),
    _json("a repeated name", _numbered(b'"k%d":1,', b'[{"a":1,"a":2,', b'"a":3}]')),
    _json("a member repeated forever", _repeated(b'"a":1,', b"[{", b'"a":1}]')),
    _json("rows of 4,000 members", _repeated(b"{" + b'"":0,' * 4_000 + b'"a":0},', b"[", b"{}]")),
    _json("members around no list", _numbered(b'"k%d":[1],', b"{", b'"z":1}'), is_pushable=False),
    _json("a large list around no rows", _repeated(b"1,", b'{"a": [', b'1], "readings": []}'), is_pushable=False),
    _json("blanks", _repeated(b" ", b"[", b"]")),
    _json("wide characters", _repeated('{"unit_id": "\U0001f9ca"},'.encode(), b"[", b"{}]")),
    _json("rows without a time", _repeated(b'{"unit_id": "u", "temperature": 1},', b"[", b"{}]")),
    _json("a unit per row", _numbered(_ROW.replace(b'"u"', b'"u%d"') + b"},", b"[", b"{}]"), is_pushable=False),
    _json("an unfinished row", _repeated(_ROW + b"},", b"[", _ROW), is_pushable=False),
    _lines("numbers", _repeated(b"1\n")),
    _lines("broken rows", _numbered(b'{"unit_id": %d\n')),
    _lines("line breaks", _repeated(b"\n")),
    _lines("an endless line", _repeated(b"[1,")),
]
_TIMES = b'"2026-11-23T10:11:11",'
_SHAPED = {
    "columns of values": _numbered(b"%d,", b'{"time":["2026-11-23"],"temperature":[', b"1]}"),
    "columns beside endless members": _numbered(
        b'"k%d":1,', b'{"time":[' + _TIMES * 9_999 + b'""],"temperature":[' + b"1," * 9_999 + b"1],", b'"z":1}'
    ),
    "columns beside a long text": _repeated(
        b"a", b'{"time":[' + _TIMES * 9_999 + b'""],"temperature":[' + b"1," * 9_999 + b'1],"note":"', b'"}'
    ),
    "lists of times and values": _repeated(b'["2026-11-23T10:11:11",1],', b'{"temperature":[', b"[1,1]]}"),
    "titles and endless rows": _repeated(
        b'["2026-11-23T10:11:11",1],', b'{"columns":["time","temperature"],"data":[', b"[1,1]]}"
    ),
    "readings in sensors in rooms": _numbered(
        b'{"id":%d,"sensors":[{"id":"s","readings":[{"time":"2026-11-23T10:11:11","temperature":1}]}]},',
        b'{"rooms":[',
        b"{}]}",
    ),
    "rooms beside endless members": _numbered(
        b'"k%d":1,', b'{"rooms":[' + b'{"sensors":[{"a":[{}]}]},' * 20_000 + b"{}],", b'"z":1}'
    ),
    "objects by id": _numbered(b'"s%d":{"time":"2026-11-23T10:11:11","temperature":1},', b'{"sensors":{', b'"z":{}}}'),
    "different long names": _numbered(b'{"' + b"k" * 50_000 + b'%d": 1},', b"[", b"{}]"),
    "a page that is described by endless members": _numbered(b'"k%d":1,', b'{"readings":[],"meta":{', b'"z":1}}'),
    "a page with endless members": _numbered(b'"k%d":1,', b'{"next":"/","readings":[],', b'"z":1}'),
}
SHAPES = [_json(name, parts, is_pushable=False) for name, parts in _SHAPED.items()]
_UNIT = b'{"id": "u%d", "name": "Freezer", "set_temperature": -70},'
STRUCTURES = [
    _json("a structure of numbers", _repeated(b"1,", b'{"facilities": [', b"1]}")),
    _json("a facility with endless units", _numbered(_UNIT, b'{"facilities": [{"id": "f", "units": [')),
    _json("endless facilities", _numbered(b'{"id": "f%d", "units": [{"id": "u"}]},', b'{"facilities": [', b"{}]}")),
    _json("empty facilities", _repeated(b'{"id": "f", "units": [{},{},{}]},', b'{"facilities": [', b"{}]}")),
    _json("structures in structures", _repeated(b'{"facilities":')),
]


def containers(size_bytes: int) -> dict[str, bytes]:
    """Return compressed bodies, of at most `size_bytes` each, that are hostile as such."""
    bomb = gzipped([bytes(size_bytes)])
    return {
        "gzip of zeros": bomb,
        "gzip in gzip in gzip": gzipped([gzipped([bomb])]),
        "empty gzip members": gzipped([]) * (size_bytes // 40),
        "gzip members of one byte": gzipped([b"\n"]) * (size_bytes // 40),
        "damaged gzip": bomb[: len(bomb) // 2] + b"\xff" * 1_000,
        "gzip followed by zeros": gzipped([HEADER]) + bytes(size_bytes // 2),
    }
