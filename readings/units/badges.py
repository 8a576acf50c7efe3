"""Badges that higher apps attach to storage units in lists, which readings do not depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.scope import Scope

# Badge texts such as "alarm" by unit id.
Badges = Mapping[int, str]
_finders: list[Callable[[Scope], Badges]] = []


def register_badges(find: Callable[[Scope], Badges]) -> None:
    """Register a function that returns the badges of the units within a scope; most units have none."""
    if find not in _finders:
        _finders.append(find)


def visible_badges(scope: Scope) -> Badges:
    """Return the badges of the units within `scope`."""
    return {unit_id: word for find in _finders for unit_id, word in find(scope).items()}
