"""JSON walked rather than loaded: the rows of a body one by one, each with the text it stands in.

So a body that breaks off still gives every whole row, a rejected row is kept verbatim, and a number that Python would
choke on is only a bad row.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion.parsing.rejection_reasons import Reason, quoted, sentence
from ingestion.parsing.results import UnreadableBody

_BLANK = re.compile(r"[ \t\n\r]*")
# What may stand where a body breaks off: nothing, the beginning of a word, a piece of a number.
_BEGUN = re.compile(
    r"(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|N(?:aN?)?|-?I(?:n(?:f(?:i(?:n(?:it?)?)?)?)?)?|-?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]*)?)?"
)
_BEGUN_ESCAPE = re.compile(r"\\?(?:u[0-9a-fA-F]{0,4})?")
_LONGEST_INT = 400  # digits; beyond them an int is infinite for a float64 anyway, and slow to make


class BrokenJson(Exception):  # noqa: N818  (named for what was met)
    """The text is not valid JSON at `place`; `is_cut_off` where it may only have ended too early."""

    def __init__(self, why: str, place: int, *, is_cut_off: bool) -> None:
        super().__init__(why)
        self.place = place
        self.is_cut_off = is_cut_off


@dataclass(frozen=True, slots=True)
class Item:
    """A row: its value and where in the text it stands."""

    value: Any
    start: int
    end: int


def text_of(data: bytes) -> tuple[str, bool]:
    """A body as text, and whether it breaks off within a character; what is not UTF-8 is taken for cp1252."""
    try:
        return data.decode(), False
    except UnicodeDecodeError as error:
        if error.end == len(data) and error.reason == "unexpected end of data":
            return data[: error.start].decode(), True
    try:
        return data.decode("cp1252"), False
    except UnicodeDecodeError:
        return data.decode("latin-1"), False


class JsonWalk:
    """One walk through a body; `items` may be run through once.

    `path` leads to the list of rows, "" means one of `list_names`, a bare list, or else a single object that `is_row`
    recognises. Objects that follow one another ("JSON lines") are rows as well; `is_lines` says so beforehand.
    """

    def __init__(
        self, text: str, *, path: str, list_names: Sequence[str], is_row: Callable[[Any], bool], is_lines: bool = False
    ) -> None:
        self.text = text
        self.is_single = False
        # Where the value began that is being read: what is cut off stands from here on.
        self.begun: int | None = None
        self._path = path.split(".") if path else []
        self._list_names = list_names
        self._is_row = is_row
        self._is_lines = is_lines
        self._found = False
        self._decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=_int)

    def items(self) -> Iterator[Item]:
        """The rows in their order. Raises BrokenJson, after the whole rows, and UnreadableBody (no_readings_list)."""
        start = self._blank(0)
        if start == len(self.text):
            return
        if self._is_lines:
            yield from self._lines(start)
        elif self.text[start] == "[" and not self._path:
            self._expect_end((yield from self._list(start)))
        elif self.text[start] == "{":
            yield from self._whole_object(start)
        else:
            self._decode(start)
            raise _no_list("")

    def _lines(self, place: int) -> Iterator[Item]:
        while place < len(self.text):
            item = self._item(place)
            yield item
            place = self._blank(item.end)

    def _whole_object(self, start: int) -> Iterator[Item]:
        self.begun = start
        end, members = yield from self._members(start, self._path)
        self.begun = None
        following = self._blank(end)
        if self._found:
            self._expect_end(end)
        elif self._path:
            raise _no_list(f' at "{".".join(self._path)}"')
        elif self._is_row(members):
            yield Item(members, start, end)
            self.is_single = following == len(self.text)
            yield from self._lines(following)
        else:
            self._expect_end(end)
            raise _no_list("")

    def _members(self, start: int, path: Sequence[str]) -> Generator[Item, None, tuple[int, dict[str, Any]]]:
        """Walk an object and the list that it leads to; returns its end and its other members."""
        members: dict[str, Any] = {}
        place = self._blank(start + 1)
        if self._char(place) == "}":
            return place + 1, members
        while True:
            if self._char(place) != '"':
                raise self._broken("a name is missing", place)
            key, place = self._decode(place)
            if key in members:
                raise BrokenJson(f"{quoted(key)} is named twice in one object", place, is_cut_off=False)
            members[key] = None
            place = self._blank(self._after(":", place))
            if self._is_wanted(key, path) and self._char(place) == "[" and len(path) < 2:
                self._found = True
                place = yield from self._list(place)
            elif self._is_wanted(key, path) and self._char(place) == "{" and len(path) > 1:
                place, _ = yield from self._members(place, path[1:])
            else:
                members[key], place = self._decode(place)
                # A list of nothing that is written as null.
                self._found |= self._is_wanted(key, path) and len(path) < 2 and members[key] is None
            place = self._blank(place)
            if self._char(place) == "}":
                return place + 1, members
            place = self._blank(self._after(",", place))

    def _is_wanted(self, key: str, path: Sequence[str]) -> bool:
        if self._found:
            return False
        return key == path[0] if path else key in self._list_names and not self._path

    def _list(self, start: int) -> Generator[Item, None, int]:
        """Walk a list; returns its end."""
        self.begun = None
        place = self._blank(start + 1)
        if self._char(place) == "]":
            return place + 1
        while True:
            item = self._item(place)
            yield item
            place = self._blank(item.end)
            if self._char(place) == "]":
                return place + 1
            place = self._blank(self._after(",", place))

    def _item(self, place: int) -> Item:
        self._char(place)
        self.begun = place
        value, end = self._decode(place)
        self.begun = None
        return Item(value, place, end)

    def _decode(self, place: int) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(self.text, place)
        except json.JSONDecodeError as error:
            raise self._broken(error.msg, error.pos) from error
        except _DoubledName as error:
            raise BrokenJson(str(error), place, is_cut_off=False) from error
        except RecursionError as error:
            raise BrokenJson("it is nested too deeply", place, is_cut_off=False) from error

    def _broken(self, why: str, place: int) -> BrokenJson:
        rest = self.text[place : place + 20].rstrip()
        begun = _BEGUN_ESCAPE if "escape" in why else _BEGUN
        is_cut_off = why.startswith("Unterminated string") or (place + 20 > len(self.text) and begun.fullmatch(rest))
        return BrokenJson(f"{why} at character {place + 1:,}", place, is_cut_off=bool(is_cut_off))

    def _blank(self, place: int) -> int:
        match = _BLANK.match(self.text, place)
        return match.end() if match else place

    def _char(self, place: int) -> str:
        if place >= len(self.text):
            raise self._broken("the end is missing", place)
        return self.text[place]

    def _after(self, char: str, place: int) -> int:
        place = self._blank(place)
        if self._char(place) != char:
            raise self._broken(f'"{char}" is missing', place)
        return place + 1

    def _expect_end(self, place: int) -> None:
        if (place := self._blank(place)) < len(self.text):
            raise BrokenJson(f"something follows the end at character {place + 1:,}", place, is_cut_off=False)


class _DoubledName(ValueError):  # noqa: N818
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise _DoubledName(f"{quoted(doubled)} is named twice in one object")
    return members


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INT else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


def _no_list(why: str) -> UnreadableBody:
    return UnreadableBody(Reason.NO_READINGS_LIST, sentence(Reason.NO_READINGS_LIST, why=why))
