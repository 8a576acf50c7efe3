"""Walk through JSON row by row, through a window of bounded size.

Unlike loading it at once, this yields every complete row of a body that is cut off, keeps the verbatim text of
rejected rows, limits the effect of an excessive number to its row, and takes little memory for a body of any length.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from ingestion.parsing.body.decoded import ByteStream
from ingestion.parsing.json.text import JsonText
from ingestion.parsing.limits import MAX_MEMBERS, MEMBER_LIMITS, ROW_LIMITS, ValueLimits, exceeded
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import UnreadableBody

# What can precede the end of a cut-off body: nothing, the start of a literal, a part of a number.
_PARTIAL_VALUE = re.compile(
    r"(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|N(?:aN?)?|-?I(?:n(?:f(?:i(?:n(?:it?)?)?)?)?)?|-?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]*)?)?"
)
_PARTIAL_ESCAPE = re.compile(r"\\?(?:u[0-9a-fA-F]{0,4})?")
_MAX_INT_DIGITS = 400  # digits; a longer int is infinite as float64 and slow to parse


class InvalidJson(Exception):  # noqa: N818  (as UnreadableBody)
    """The text is not valid JSON; `is_cut_off` if it may be valid but incomplete."""

    def __init__(self, why: str, *, is_cut_off: bool = False) -> None:
        super().__init__(why)
        self.is_cut_off = is_cut_off


@dataclass(frozen=True, slots=True)
class JsonItem:
    """A row: its value and its verbatim text."""

    value: object
    raw: str


_Decoded = TypeVar("_Decoded")


@dataclass(frozen=True, slots=True)
class JsonBlock(Generic[_Decoded]):
    """Consecutive rows of a list that were decoded at once, and their verbatim text with the commas between them."""

    rows: _Decoded
    raw: str


_Rows: TypeAlias = Iterator[JsonItem | JsonBlock[_Decoded]]


class JsonWalker(Generic[_Decoded]):
    """Walk through a body once.

    `path` leads to the list of rows; "" means one of `list_names`, a bare list, or else a single object for which
    `is_row` is true. Consecutive objects (JSON Lines) are rows as well; `is_lines` declares them. `decode_block` is for
    consecutive rows of a list; it returns None if they have to be decoded one by one.
    """

    def __init__(
        self,
        stream: ByteStream,
        *,
        path: str,
        list_names: Sequence[str],
        is_row: Callable[[object], bool],
        is_lines: bool = False,
        row_limits: ValueLimits = ROW_LIMITS,
        decode_block: Callable[[str], _Decoded | None] | None = None,
    ) -> None:
        self.is_single = False
        self.has_commas_between_lines = False
        # Whether there is null in place of the list of rows.
        self.is_null = False
        # Of the objects around the rows, as far as they have been read; without the rows.
        self.members: dict[str, object] = {}
        self._inner_members: dict[str, object] = {}
        self._has_rows = False
        self._text = JsonText(stream)
        self._path = path.split(".") if path else []
        self._list_names = list_names
        self._is_row = is_row
        self._is_lines = is_lines
        self._row_limits = row_limits
        self._decode_block = decode_block
        # Where in the body the window ended in which no block could be decoded.
        self._no_block_before = 0
        self._has_list = False
        self._member_characters = 0
        self._decoder = json.JSONDecoder(object_pairs_hook=_unique_members, parse_int=_parse_int)

    @property
    def incomplete_row(self) -> str:
        """The text of the row in which the body ends, "" if it ends between rows."""
        start = self._text.kept_from
        return "" if start is None else self._text.text[start : start + self._row_limits.characters]

    @property
    def ends_within_character(self) -> bool:
        """Whether the last character of the body is incomplete."""
        return self._text.ends_within_character

    def items(self) -> Iterator[JsonItem]:
        """Yield the rows in order, each by itself. Raise like `rows`."""
        self._decode_block = None
        yield from (row for row in self.rows() if isinstance(row, JsonItem))

    def rows(self) -> _Rows[_Decoded]:
        """Yield the rows in order.

        Raise InvalidJson after the complete rows, UnreadableBody without a list of rows or beyond a limit.
        """
        first = self._text.skip_blanks()
        if not first:
            return
        if self._is_lines:
            yield from self._lines()
        elif first == "[" and not self._path:
            yield from self._list()
            self._expect_end()
        elif first == "{":
            yield from self._object()
        else:
            self._decode(MEMBER_LIMITS)
            raise _no_list("")

    def whole(self) -> object:
        """Return the body as one value, if it is within the limits of what surrounds rows. Raise like `rows`."""
        if not self._text.skip_blanks():
            return None
        value = self._decode(MEMBER_LIMITS)
        self._expect_end()
        return value

    def _lines(self) -> Iterator[JsonItem]:
        while char := self._text.skip_blanks():
            if char == "," and self._has_rows:
                self.has_commas_between_lines = True
                self._text.position += 1
                continue
            self._has_rows = True
            yield self._item()

    def _object(self) -> _Rows[_Decoded]:
        text = self._text
        text.kept_from = text.position
        members = yield from self._members(self._path)
        self.members = {**members, **self._inner_members}
        start, text.kept_from = text.kept_from, None
        raw = "" if start is None else text.text[start : text.position]
        if self._has_list:
            self._expect_end()
        elif self._path:
            raise _no_list(f' at "{".".join(self._path)}"')
        elif self._is_row(members):
            self._has_rows = True
            yield JsonItem(members, raw)
            self.is_single = not text.skip_blanks()
            yield from self._lines()
        else:
            self._expect_end()
            raise _no_list("")

    def _members(self, path: Sequence[str]) -> Generator[JsonItem | JsonBlock[_Decoded], None, dict[str, object]]:
        """Walk through an object and the list of rows in it; return its other members."""
        members: dict[str, object] = {}
        self._text.position += 1
        if self._next_char() == "}":
            self._text.position += 1
            return members
        while True:
            key = self._name(members)
            self._skip_char(":")
            char = self._next_char()
            if self._leads_to_rows(key, path) and char == "[" and len(path) < 2:
                self._has_list = True
                yield from self._list()
            elif self._leads_to_rows(key, path) and char == "{" and len(path) > 1:
                self._inner_members |= yield from self._members(path[1:])
            else:
                members[key] = self._decode_member()
                self.is_null |= self._leads_to_rows(key, path) and len(path) < 2 and members[key] is None
                self._has_list |= self.is_null
            if self._next_char() == "}":
                self._text.position += 1
                return members
            self._skip_char(",")
            self._next_char()

    def _name(self, members: dict[str, object]) -> str:
        """Read a member's name and add it to `members`."""
        if self._next_char() != '"':
            raise self._error("a name is missing")
        key = str(self._decode_member())
        if key in members:
            raise InvalidJson(f"{quoted(key)} occurs twice in one object")
        members[key] = None
        _check_member_count(len(members))
        return key

    def _leads_to_rows(self, key: str, path: Sequence[str]) -> bool:
        if self._has_list:
            return False
        return key == path[0] if path else key.casefold() in self._list_names and not self._path

    def _list(self) -> _Rows[_Decoded]:
        """Walk through a list of rows."""
        self._text.kept_from = None
        self._text.position += 1
        if self._next_char() == "]":
            self._text.position += 1
            return
        while True:
            yield self._block() or self._item()
            char = self._next_char()
            if char not in ",]":
                raise self._error('"," is missing')
            self._text.position += 1
            if char == "]":
                return
            self._next_char()

    def _block(self) -> JsonBlock[_Decoded] | None:
        """Return the rows up to the last that ends in the window, None if they have to be decoded one by one."""
        text = self._text
        if self._decode_block is None or text.in_body(text.position) < self._no_block_before:
            return None
        text.fill_up()
        for end in text.possible_list_ends():
            raw = text.text[text.position : end]
            if (rows := self._decode_block(raw)) is not None:
                text.position = end
                return JsonBlock(rows, raw)
        self._no_block_before = text.in_body(len(text.text))
        return None

    def _item(self) -> JsonItem:
        """Return the row at the position."""
        text = self._text
        text.kept_from = text.position
        value = self._decode(self._row_limits)
        raw = text.text[text.kept_from : text.position]
        text.kept_from = None
        return JsonItem(value, raw)

    def _decode_member(self) -> object:
        start = self._text.in_body(self._text.position)
        value = self._decode(MEMBER_LIMITS)
        self._member_characters += self._text.in_body(self._text.position) - start
        if self._member_characters > MEMBER_LIMITS.characters:
            raise exceeded(f"it has more than {MEMBER_LIMITS.characters:,} characters beside its rows")
        return value

    def _decode(self, limits: ValueLimits) -> object:
        """Decode the value at the position and move past it."""
        text = self._text
        text.value_end(limits)  # the whole value is in the window now
        try:
            value, text.position = self._decoder.raw_decode(text.text, text.position)
        except json.JSONDecodeError as error:
            raise self._error(error.msg, error.pos - text.position) from error
        except _DuplicateName as error:
            raise InvalidJson(str(error)) from error
        except RecursionError as error:
            raise InvalidJson("it is nested too deeply") from error
        return value

    def _error(self, why: str, ahead: int = 0) -> InvalidJson:
        """Return the error for what is `ahead` characters from the position."""
        text = self._text
        is_at_end = not text.look_ahead(ahead + 20)
        position = text.position + ahead
        rest = text.text[position : position + 20].rstrip()
        partial = _PARTIAL_ESCAPE if "escape" in why else _PARTIAL_VALUE
        is_cut_off = why.startswith("Unterminated string") or (is_at_end and partial.fullmatch(rest))
        return InvalidJson(f"{why} at character {text.in_body(position) + 1:,}", is_cut_off=bool(is_cut_off))

    def _next_char(self) -> str:
        """Move to the next character that is not blank and return it."""
        if char := self._text.skip_blanks():
            return char
        raise self._error("the end is missing")

    def _skip_char(self, char: str) -> None:
        if self._next_char() != char:
            raise self._error(f'"{char}" is missing')
        self._text.position += 1

    def _expect_end(self) -> None:
        if self._text.skip_blanks():
            position = self._text.in_body(self._text.position)
            raise InvalidJson(f"extra data at character {position + 1:,}")


class _DuplicateName(ValueError):  # noqa: N818  (as UnreadableBody)
    pass


def _check_member_count(count: int) -> None:
    if count > MAX_MEMBERS:
        raise exceeded(f"an object in it has more than {MAX_MEMBERS:,} members")


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    _check_member_count(len(pairs))
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        duplicate = next(name for name, count in counts.items() if count > 1)
        raise _DuplicateName(f"{quoted(duplicate)} occurs twice in one object")
    return members


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


def _no_list(why: str) -> UnreadableBody:
    return UnreadableBody(Reason.NO_READINGS_LIST, why=why)
