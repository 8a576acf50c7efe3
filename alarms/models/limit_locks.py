"""The order in which racing changes of limits come into force.

The limits of many units follow from what they share: a profile, their customer's choice, the configured deviation. Who
changes that looks for the units that depend on it, and must not miss one that chooses it at the same time; who chooses
limits for a unit must not compute them from what is being replaced. So the former waits until nobody else changes
limits, while changes of single units only wait for the former. Everybody takes this lock before locking rows, so that
nobody waits in a circle; a load that registers units after it has locked others does not wait, but is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction

from core.db.conflicts import ConflictError
from customers.models import Customer, StorageUnit

_EXCLUSIVE = "SELECT pg_advisory_xact_lock(hashtext('limits'))"
_SHARED = "SELECT pg_advisory_xact_lock_shared(hashtext('limits'))"
_SHARED_AT_ONCE = "SELECT pg_try_advisory_xact_lock_shared(hashtext('limits'))"


def lock_shared_limits() -> None:
    """Let nobody else change limits of any kind until the end of the transaction."""
    _lock(_EXCLUSIVE)


def hold_shared_limits() -> None:
    """Let nobody change what units share until the end of the transaction."""
    _lock(_SHARED)


def hold_shared_limits_at_once() -> None:
    """Do the same in a transaction that has locked rows. Raise ConflictError instead of waiting for who changes it."""
    if not _lock(_SHARED_AT_ONCE):
        raise ConflictError("The limits that units share are being changed.")


def lock_limits_of_units(unit_ids: Iterable[int]) -> None:
    """Let nobody else change the limits of these units until the end of the transaction."""
    hold_shared_limits()
    units = StorageUnit.objects.filter(pk__in=list(unit_ids)).order_by("pk")
    list(units.select_for_update(no_key=True).values_list("pk"))


def lock_limits_of_customer(customer_id: int) -> None:
    """Let nobody else change the limits that the customer's units share until the end of the transaction."""
    lock_shared_limits()
    list(Customer.objects.filter(pk=customer_id).select_for_update(no_key=True).values_list("pk"))


def _lock(statement: str) -> object:
    """Take the lock. Raise TransactionManagementError outside a transaction, where it would end with the statement."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Limits are changed in a transaction.")
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]
