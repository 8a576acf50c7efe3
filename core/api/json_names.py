"""Find names that occur twice in a JSON object, of which decoders silently keep the last."""

from __future__ import annotations

import json


class _RepeatedName(ValueError):  # noqa: N818  (ends the decoding, never leaves this module)
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def repeated_name(data: bytes | str) -> str | None:
    """Return a name that occurs twice in an object of a valid JSON text, None if there is none.

    Decoders keep the last of such members without a word, so that of two temperatures or scales one would win.
    """
    try:
        json.loads(data, object_pairs_hook=_check_pairs, parse_int=_nothing, parse_float=_nothing)
    except _RepeatedName as repeated:
        return repeated.name
    return None


def _check_pairs(pairs: list[tuple[str, object]]) -> None:
    """Raise _RepeatedName if a name occurs twice; what the object holds is not needed."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _RepeatedName(name)
        seen.add(name)


def _nothing(_: str) -> None:
    """Skip a number: huge ones are slow to convert."""
