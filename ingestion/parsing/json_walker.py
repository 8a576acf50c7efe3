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

from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import UnreadableBody

_BLANK = re.compile(r"[ \t\n\r]*")
# What may stand where a body breaks off: nothing, the beginning of a word, a piece of a number.
_BEGUN = re.compile(
    r"(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|N(?:aN?)?|-?I(?:n(?:f(?:i(?:n(?:it?)?)?)?)?)?|-?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]*)?)?"
)
_BEGUN_ESCAPE = re.compile(r"\\?(?:u[0-9a-fA-F]{0,4})?")
_LONGEST_INT = 400  # digits; beyond them an int is infinite for a float64 anyway, and slow to make


class InvalidJson(Exception):  # noqa: N818  (named for what was met)
    """The text is not valid JSON at `position`; `is_cut_off` where it may only have ended too early."""

    def __init__(self, why: str, position: int, *, is_cut_off: bool) -> None:
        super().__init__(why)
        self.position = position
        self.is_cut_off = is_cut_off


@dataclass(frozen=True, slots=True)
class Item:
    """A row: its value and where in the text it stands."""

    value: Any
    start: int
    end: int


def decode_text(data: bytes) -> tuple[str, bool]:
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


class JsonWalker:
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

    def _lines(self, position: int) -> Iterator[Item]:
        while position < len(self.text):
            item = self._item(position)
            yield item
            position = self._blank(item.end)

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
        position = self._blank(start + 1)
        if self._char(position) == "}":
            return position + 1, members
        while True:
            if self._char(position) != '"':
                raise self._broken("a name is missing", position)
            key, position = self._decode(position)
            if key in members:
                raise InvalidJson(f"{quoted(key)} is named twice in one object", position, is_cut_off=False)
            members[key] = None
            position = self._blank(self._after(":", position))
            if self._is_wanted(key, path) and self._char(position) == "[" and len(path) < 2:
                self._found = True
                position = yield from self._list(position)
            elif self._is_wanted(key, path) and self._char(position) == "{" and len(path) > 1:
                position, _ = yield from self._members(position, path[1:])
            else:
                members[key], position = self._decode(position)
                # A list of nothing that is written as null.
                self._found |= self._is_wanted(key, path) and len(path) < 2 and members[key] is None
            position = self._blank(position)
            if self._char(position) == "}":
                return position + 1, members
            position = self._blank(self._after(",", position))

    def _is_wanted(self, key: str, path: Sequence[str]) -> bool:
        if self._found:
            return False
        return key == path[0] if path else key in self._list_names and not self._path

    def _list(self, start: int) -> Generator[Item, None, int]:
        """Walk a list; returns its end."""
        self.begun = None
        position = self._blank(start + 1)
        if self._char(position) == "]":
            return position + 1
        while True:
            item = self._item(position)
            yield item
            position = self._blank(item.end)
            if self._char(position) == "]":
                return position + 1
            position = self._blank(self._after(",", position))

    def _item(self, position: int) -> Item:
        self._char(position)
        self.begun = position
        value, end = self._decode(position)
        self.begun = None
        return Item(value, position, end)

    def _decode(self, position: int) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(self.text, position)
        except json.JSONDecodeError as error:
            raise self._broken(error.msg, error.pos) from error
        except _DoubledName as error:
            raise InvalidJson(str(error), position, is_cut_off=False) from error
        except RecursionError as error:
            raise InvalidJson("it is nested too deeply", position, is_cut_off=False) from error

    def _broken(self, why: str, position: int) -> InvalidJson:
        rest = self.text[position : position + 20].rstrip()
        begun = _BEGUN_ESCAPE if "escape" in why else _BEGUN
        is_cut_off = why.startswith("Unterminated string") or (position + 20 > len(self.text) and begun.fullmatch(rest))
        return InvalidJson(f"{why} at character {position + 1:,}", position, is_cut_off=bool(is_cut_off))

    def _blank(self, position: int) -> int:
        match = _BLANK.match(self.text, position)
        return match.end() if match else position

    def _char(self, position: int) -> str:
        if position >= len(self.text):
            raise self._broken("the end is missing", position)
        return self.text[position]

    def _after(self, char: str, position: int) -> int:
        position = self._blank(position)
        if self._char(position) != char:
            raise self._broken(f'"{char}" is missing', position)
        return position + 1

    def _expect_end(self, position: int) -> None:
        if (position := self._blank(position)) < len(self.text):
            raise InvalidJson(f"something follows the end at character {position + 1:,}", position, is_cut_off=False)


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
    return UnreadableBody(Reason.NO_READINGS_LIST, why=why)
