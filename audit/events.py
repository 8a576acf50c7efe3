"""Record events that change no audited row: sign-ins, exports, imports, settings at start."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

from django.db import connection

from audit.context import Actor, acting_as, json_text, stating_reason

_APPEND = """SELECT audit_append(%(action)s, %(model)s, %(object_id)s, %(label)s, %(customer_id)s, %(storage_unit_id)s,
    %(person_id)s, %(before)s::jsonb, %(details)s::jsonb)
"""


def record_event(
    action: str,
    *,
    details: Mapping[str, object] | None = None,
    before: Mapping[str, object] | None = None,
    model: str = "",
    object_id: object = "",
    label: str = "",
    customer_id: int | None = None,
    storage_unit_id: int | None = None,
    person_id: int | None = None,
    actor: Actor | None = None,
    reason: str = "",
) -> int:
    """Record an event, in the current transaction if there is one, and return the entry's id. One statement.

    `action`: one of `AuditEntry.Action`. `details`, `before`: JSON without secrets. `actor`, `reason`: instead of the
    current ones. Who, when and from where are those of the current request, task or command, as with changes of rows.
    """
    parameters = {
        "action": str(action),
        "model": model,
        "object_id": str(object_id),
        "label": label,
        "customer_id": customer_id,
        "storage_unit_id": storage_unit_id,
        "person_id": person_id,
        "before": _json(before),
        "details": _json(details),
    }
    with (
        acting_as(actor) if actor else nullcontext(),
        stating_reason(reason) if reason else nullcontext(),
        connection.cursor() as cursor,
    ):
        cursor.execute(_APPEND, parameters)
        entry_id: int = cursor.fetchone()[0]
    return entry_id


def _json(values: Mapping[str, object] | None) -> str | None:
    return None if values is None else json_text(values)
