"""Walk through JSON row by row, with the position of each row in the text.

Unlike loading it at once, this yields every complete row of a body that is cut off, keeps the verbatim text of
rejected rows, and limits the effect of an excessive number to its row.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import UnreadableBody

_BLANKS = re.compile(r"[ \t\n\r]*")
# What can precede the end of a cut-off body: nothing, the start of a literal, a part of a number.
_PARTIAL_VALUE = re.compile(
    r"(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|N(?:aN?)?|-?I(?:n(?:f(?:i(?:n(?:it?)?)?)?)?)?|-?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]*)?)?"
)
_PARTIAL_ESCAPE = re.compile(r"\\?(?:u[0-9a-fA-F]{0,4})?")
_MAX_INT_DIGITS = 400  # digits; a longer int is infinite as float64 and slow to parse


class InvalidJson(Exception):  # noqa: N818  (as UnreadableBody)
    """The text is not valid JSON at `position`; `is_cut_off` if it may be valid but incomplete."""

    def __init__(self, why: str, position: int, *, is_cut_off: bool) -> None:
        super().__init__(why)
        self.position = position
        self.is_cut_off = is_cut_off


@dataclass(frozen=True, slots=True)
class JsonItem:
    """A row: its value and its position in the text."""

    value: object
    start: int
    end: int


def decode_text(data: bytes) -> tuple[str, bool]:
    """Return a body as text, decoded from UTF-8 or cp1252, and whether it ends within a character."""
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
    """Walk through a body once.

    `path` leads to the list of rows; "" means one of `list_names`, a bare list, or else a single object for which
    `is_row` is true. Consecutive objects (JSON Lines) are rows as well; `is_lines` declares them.
    """

    def __init__(
        self,
        text: str,
        *,
        path: str,
        list_names: Sequence[str],
        is_row: Callable[[object], bool],
        is_lines: bool = False,
    ) -> None:
        self.text = text
        self.is_single = False
        # The start of the value being read, which is the incomplete row if the body is cut off.
        self.item_start: int | None = None
        self._path = path.split(".") if path else []
        self._list_names = list_names
        self._is_row = is_row
        self._is_lines = is_lines
        self._has_list = False
        self._decoder = json.JSONDecoder(object_pairs_hook=_unique_members, parse_int=_parse_int)

    def items(self) -> Iterator[JsonItem]:
        """Yield the rows in order. Raise InvalidJson after the complete rows, and UnreadableBody (no_readings_list)."""
        start = self._skip_blanks(0)
        if start == len(self.text):
            return
        if self._is_lines:
            yield from self._lines(start)
        elif self.text[start] == "[" and not self._path:
            self._expect_end((yield from self._list(start)))
        elif self.text[start] == "{":
            yield from self._object(start)
        else:
            self._decode(start)
            raise _no_list("")

    def _lines(self, position: int) -> Iterator[JsonItem]:
        while position < len(self.text):
            item = self._item(position)
            yield item
            position = self._skip_blanks(item.end)

    def _object(self, start: int) -> Iterator[JsonItem]:
        self.item_start = start
        end, members = yield from self._members(start, self._path)
        self.item_start = None
        following = self._skip_blanks(end)
        if self._has_list:
            self._expect_end(end)
        elif self._path:
            raise _no_list(f' at "{".".join(self._path)}"')
        elif self._is_row(members):
            yield JsonItem(members, start, end)
            self.is_single = following == len(self.text)
            yield from self._lines(following)
        else:
            self._expect_end(end)
            raise _no_list("")

    def _members(self, start: int, path: Sequence[str]) -> Generator[JsonItem, None, tuple[int, dict[str, object]]]:
        """Walk through an object and the list of rows in it; return its end and its other members."""
        members: dict[str, object] = {}
        position = self._skip_blanks(start + 1)
        if self._char(position) == "}":
            return position + 1, members
        while True:
            if self._char(position) != '"':
                raise self._error("a name is missing", position)
            name, position = self._decode(position)
            key = str(name)
            if key in members:
                raise InvalidJson(f"{quoted(key)} occurs twice in one object", position, is_cut_off=False)
            members[key] = None
            position = self._skip_blanks(self._skip_char(":", position))
            if self._leads_to_rows(key, path) and self._char(position) == "[" and len(path) < 2:
                self._has_list = True
                position = yield from self._list(position)
            elif self._leads_to_rows(key, path) and self._char(position) == "{" and len(path) > 1:
                position, _ = yield from self._members(position, path[1:])
            else:
                members[key], position = self._decode(position)
                # An empty list sent as null.
                self._has_list |= self._leads_to_rows(key, path) and len(path) < 2 and members[key] is None
            position = self._skip_blanks(position)
            if self._char(position) == "}":
                return position + 1, members
            position = self._skip_blanks(self._skip_char(",", position))

    def _leads_to_rows(self, key: str, path: Sequence[str]) -> bool:
        if self._has_list:
            return False
        return key == path[0] if path else key in self._list_names and not self._path

    def _list(self, start: int) -> Generator[JsonItem, None, int]:
        """Walk through a list of rows; return its end."""
        self.item_start = None
        position = self._skip_blanks(start + 1)
        if self._char(position) == "]":
            return position + 1
        while True:
            item = self._item(position)
            yield item
            position = self._skip_blanks(item.end)
            if self._char(position) == "]":
                return position + 1
            position = self._skip_blanks(self._skip_char(",", position))

    def _item(self, position: int) -> JsonItem:
        self._char(position)
        self.item_start = position
        value, end = self._decode(position)
        self.item_start = None
        return JsonItem(value, position, end)

    def _decode(self, position: int) -> tuple[object, int]:
        try:
            value, end = self._decoder.raw_decode(self.text, position)
        except json.JSONDecodeError as error:
            raise self._error(error.msg, error.pos) from error
        except _DuplicateName as error:
            raise InvalidJson(str(error), position, is_cut_off=False) from error
        except RecursionError as error:
            raise InvalidJson("it is nested too deeply", position, is_cut_off=False) from error
        return value, end

    def _error(self, why: str, position: int) -> InvalidJson:
        rest = self.text[position : position + 20].rstrip()
        partial = _PARTIAL_ESCAPE if "escape" in why else _PARTIAL_VALUE
        is_cut_off = why.startswith("Unterminated string") or (
            position + 20 > len(self.text) and partial.fullmatch(rest)
        )
        return InvalidJson(f"{why} at character {position + 1:,}", position, is_cut_off=bool(is_cut_off))

    def _skip_blanks(self, position: int) -> int:
        match = _BLANKS.match(self.text, position)
        return match.end() if match else position

    def _char(self, position: int) -> str:
        if position >= len(self.text):
            raise self._error("the end is missing", position)
        return self.text[position]

    def _skip_char(self, char: str, position: int) -> int:
        position = self._skip_blanks(position)
        if self._char(position) != char:
            raise self._error(f'"{char}" is missing', position)
        return position + 1

    def _expect_end(self, position: int) -> None:
        if (position := self._skip_blanks(position)) < len(self.text):
            raise InvalidJson(f"extra data at character {position + 1:,}", position, is_cut_off=False)


class _DuplicateName(ValueError):  # noqa: N818  (as UnreadableBody)
    pass


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise _DuplicateName(f"{quoted(duplicate)} occurs twice in one object")
    return members


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


def _no_list(why: str) -> UnreadableBody:
    return UnreadableBody(Reason.NO_READINGS_LIST, why=why)
