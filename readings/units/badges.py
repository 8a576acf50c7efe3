"""What other rooms have to say of storage units where these are listed; they know readings, not the other way round."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.scope import Scope

# Units' ids with a word about each: "alarm".
Marks = Mapping[int, str]
_finders: list[Callable[[Scope], Marks]] = []


def add_finder(find: Callable[[Scope], Marks]) -> None:
    """Have `find` asked for the marks of the units within a scope, of which most have none."""
    if find not in _finders:
        _finders.append(find)


def visible_badges(scope: Scope) -> Marks:
    """The units within `scope` that there is something to say of."""
    return {unit_id: word for find in _finders for unit_id, word in find(scope).items()}
