"""Tenant isolation: the one place that limits every query to what its principal may see.

A `Scope` lists the customers, and optionally the storage units, that a principal may see. Every model that belongs to a
customer declares the lookups to its customer and storage unit, and its queryset's `visible_to(scope)` applies the
limit. A model without lookups, or a principal without rights, yields nothing: the scope fails closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.core.exceptions import EmptyResultSet
from django.db import models
from typing_extensions import override

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler


@models.ForeignKey.register_lookup
@models.Field.register_lookup
class AnyOf(models.Lookup):
    """`column = ANY(array)`: the SQL is the same for any number of ids, as `core.db.compiled_queries` requires."""

    lookup_name = "any_of"
    prepare_rhs = False

    @override
    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        if not self.rhs:
            raise EmptyResultSet
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", (*parameters, sorted(self.rhs))


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows a principal may see. None for a set means no limit of that kind; an empty set means nothing."""

    customer_ids: frozenset[int] | None
    unit_ids: frozenset[int] | None = None

    @classmethod
    def nothing(cls) -> Scope:
        """Return the scope that sees nothing."""
        return cls(customer_ids=frozenset())

    @classmethod
    def everything(cls) -> Scope:
        """Return the scope that sees everything."""
        return cls(customer_ids=None)

    @classmethod
    def of_customer(cls, customer_id: int) -> Scope:
        """Return the scope of one customer."""
        return cls(customer_ids=frozenset({customer_id}))

    def intersection(self, other: Scope) -> Scope:
        """Return what both scopes see."""
        return Scope(_common(self.customer_ids, other.customer_ids), _common(self.unit_ids, other.unit_ids))

    @property
    def is_empty(self) -> bool:
        """Whether it holds no customer."""
        return self.customer_ids == frozenset()

    def holds_all_of(self, customer_id: int) -> bool:
        """Return whether it includes everything of this customer; never if it is limited to some units."""
        return self.unit_ids is None and (self.customer_ids is None or customer_id in self.customer_ids)


def _common(ids: frozenset[int] | None, others: frozenset[int] | None) -> frozenset[int] | None:
    if ids is None or others is None:
        return others if ids is None else ids
    return ids & others


class ScopedQuerySet(models.QuerySet[Any]):
    """A queryset that can be limited to a scope."""

    def visible_to(self, scope: Scope) -> Self:
        """Return the rows visible to `scope`."""
        ways = getattr(self.model, "SCOPE", None)
        if ways is None:
            return self.none()
        limited = self
        if scope.customer_ids is not None:
            limited = limited.filter(**{f"{ways.customer}__any_of": scope.customer_ids})
        if scope.unit_ids is not None:
            if ways.unit is None:
                return self.none()
            limited = limited.filter(**{f"{ways.unit}__any_of": scope.unit_ids}).distinct()
        return limited


@dataclass(frozen=True, slots=True)
class ScopeWays:
    """The lookups from a model to the ids of its customer and storage unit.

    `unit` None: the model is not about single units, so a principal limited to units sees none of it.
    """

    customer: str
    unit: str | None


class ScopedModel(models.Model):
    """A model whose rows belong to a customer; subclasses set SCOPE."""

    SCOPE: ClassVar[ScopeWays]
    objects = ScopedQuerySet.as_manager()

    class Meta:
        abstract = True
