"""Read JSON text through a window, so that a long body is never in memory as a whole.

The end of a value is found without decoding it: what exceeds a limit is refused before an object is created from it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from ingestion.parsing.body.decoded import ByteStream
from ingestion.parsing.limits import MAX_DEPTH, ValueLimits, exceeded
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnreadableBody

_WINDOW_BYTES = 2 << 20
_BLANK = " \t\n\r"
_BLANKS = re.compile(rf"[{_BLANK}]*+")
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# Up to the next bracket outside strings, or to the beginning of a string that does not end in the window.
_WITHOUT_BRACKETS = re.compile(rf'[^"\[\]{{}}]*+(?:{_STRING}[^"\[\]{{}}]*+)*+', re.DOTALL)
# An object without others in it, as most rows are.
_FLAT_OBJECT = re.compile(rf'\{{[^"\[\]{{}}]*+(?:{_STRING}[^"\[\]{{}}]*+)*+\}}', re.DOTALL)
_WHOLE_STRING = re.compile(_STRING, re.DOTALL)
_SCALAR = re.compile(r"[^,\]} \t\n\r]*+")


class JsonText:
    """The part of a body's text that has been read and is still needed.

    `position` is in `text`; so is `kept_from`, from where on the text is kept after the position has passed it.
    """

    def __init__(self, stream: ByteStream) -> None:
        self.text = ""
        self.position = 0
        self.kept_from: int | None = None
        self.ends_within_character = False
        self._stream = stream
        self._decoder: codecs.IncrementalDecoder = codecs.getincrementaldecoder("utf-8")()
        # Of the window in the body, in characters.
        self._offset = 0
        self._is_complete = False

    def fill(self) -> bool:
        """Replace what is no longer needed by what follows in the body; return False if nothing does."""
        if self._is_complete:
            return False
        data = self._stream.read(_WINDOW_BYTES)
        self._is_complete = len(data) < _WINDOW_BYTES
        start = self.position
        if self.kept_from is not None:
            start, self.kept_from = self.kept_from, 0
        self._offset += start
        self.position -= start
        self.text = self.text[start:] + self._decode(data)
        return True

    @property
    def remaining(self) -> int:
        """The number of characters from the position to the end of the window."""
        return len(self.text) - self.position

    def in_body(self, position: int) -> int:
        """Return the position in the body of a position in the window."""
        return self._offset + position

    def look_ahead(self, count: int) -> bool:
        """Return whether `count` characters follow the position in the body, which are in the window then."""
        while self.remaining < count and self.fill():
            pass
        return self.remaining >= count

    def fill_up(self) -> None:
        """Fill the window unless half of it is still to be read."""
        if self.remaining < _WINDOW_BYTES // 2:
            self.fill()

    def possible_list_ends(self) -> Iterator[int]:
        """Yield where a list may end at the end of the body, and where a row that another one follows may end last."""
        if self._is_complete and (end := self.text.rfind("]", self.position)) > self.position:
            yield end
        if (end := self.text.rfind("},", self.position)) > self.position:
            yield end + 1

    def skip_blanks(self) -> str:
        """Move past blanks; return the next character, "" at the end of the body."""
        while True:
            if self.position < len(self.text) and (char := self.text[self.position]) not in _BLANK:
                return char
            match = _BLANKS.match(self.text, self.position)
            self.position = match.end() if match else self.position
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.fill():
                return ""

    def value_end(self, limits: ValueLimits) -> int:
        """Return the end of the value at the position, or of the body if that ends before, without decoding it.

        The position in the window may change. Raise UnreadableBody if the value exceeds the limits.
        """
        if flat := _FLAT_OBJECT.match(self.text, self.position):
            return self._checked(flat.end(), limits)
        char = self.text[self.position]
        if char in "[{":
            return self._structure_end(limits)
        pattern = _WHOLE_STRING if char == '"' else _SCALAR
        while True:
            match = pattern.match(self.text, self.position)
            if match and (match.end() < len(self.text) or self._is_complete):
                end = match.end()
                break
            if self.remaining > limits.characters or not self.fill():
                end = len(self.text)
                break
        return self._checked(end, limits)

    def _structure_end(self, limits: ValueLimits) -> int:
        """Return the end of an object or list."""
        depth = brackets = 0
        at = self.position
        while True:
            match = _WITHOUT_BRACKETS.match(self.text, at)
            at = match.end() if match else at
            if at == len(self.text) or self.text[at] == '"':
                length = at - self.position
                if self.remaining > limits.characters or not self.fill():
                    return self._checked(len(self.text), limits)
                at = self.position + length
                continue
            is_opening = self.text[at] in "[{"
            depth += 1 if is_opening else -1
            brackets += is_opening
            at += 1
            if depth == 0:
                return self._checked(at, limits)
            if depth > MAX_DEPTH:
                raise UnreadableBody(Reason.INVALID_JSON, why=f"it is nested more than {MAX_DEPTH} levels deep")
            if brackets > limits.values or at - self.position > limits.characters:
                return self._checked(at, limits, brackets)

    def _checked(self, end: int, limits: ValueLimits, brackets: int = 0) -> int:
        length = end - self.position
        if length > limits.characters:
            raise exceeded(f"a value in it is longer than {limits.characters:,} characters")
        if length > limits.values:
            count = max(brackets, self.text.count(",", self.position, end))
            if count > limits.values:
                raise exceeded(f"a value in it consists of more than {limits.values:,} values")
        return end

    def _decode(self, data: bytes) -> str:
        """Decode UTF-8, or from the first bytes that are not, cp1252 or Latin-1."""
        pending = self._decoder.getstate()[0]
        try:
            text = self._decoder.decode(data)
        except UnicodeDecodeError:
            data = pending + data
            encoding = "cp1252" if _is_cp1252(data) else "latin-1"
            self._decoder = codecs.getincrementaldecoder(encoding)()
            return self._decoder.decode(data)
        self.ends_within_character = self._is_complete and bool(self._decoder.getstate()[0])
        return text


def _is_cp1252(data: bytes) -> bool:
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True
