"""Record in the audit trail which settings a process starts with, if they differ from those of its last start.

They come from the environment, so that no trigger sees them change.
"""

from __future__ import annotations

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils.crypto import salted_hmac

from audit.events import record_event
from audit.models import AuditEntry

# Settings whose values are, or may contain, secrets: of those the trail shows a fingerprint.
SECRET_WORDS = ("KEY", "SECRET", "PASSWORD", "TOKEN", "URL", "OPTIONS", "ENDPOINT")
HARMLESS = ("SITE_URL",)
MODEL = "settings"
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('audit settings'))"

logger = structlog.get_logger(__name__)


def record_settings(process: str) -> None:
    """Record what changed since the last start of this process ("web", "worker" or "beat"), if anything did.

    A database that is unavailable does not keep the process from starting.
    """
    try:
        with transaction.atomic():
            _record_changes(process)
    except DatabaseError as error:
        logger.warning("settings not recorded", process=process, error=str(error))


def _record_changes(process: str) -> None:
    with connection.cursor() as cursor:
        # The workers of a server start at the same time.
        cursor.execute(_LOCK)
    recorded = _recorded(process)
    current: dict[str, object] = {"VERSION": settings.VERSION, **_stated()}
    changed = sorted(name for name in recorded.keys() | current.keys() if recorded.get(name) != current.get(name))
    if changed:
        record_event(
            AuditEntry.Action.SETTINGS,
            before={name: recorded.get(name) for name in changed},
            details={name: current.get(name) for name in changed},
            model=MODEL,
            object_id=process,
            label=process,
        )


def _recorded(process: str) -> dict[str, object]:
    """Return the settings of the last start, which each entry says in difference to the one before."""
    state: dict[str, object] = {}
    entries = AuditEntry.objects.filter(model=MODEL, object_id=process).order_by("id")
    for after in entries.values_list("after", flat=True):
        state |= after or {}
    return {name: value for name, value in state.items() if value is not None}


def _stated() -> dict[str, object]:
    return {name: _shown(name, value) for name, value in settings.ENVIRONMENT.stated().items()}


def _shown(name: str, value: str) -> str:
    """Return the value, of a secret a fingerprint, by which a change is seen and nothing else."""
    if name in HARMLESS or not any(word in name for word in SECRET_WORDS):
        return value
    return f"secret {salted_hmac(MODEL, value).hexdigest()[:12]}"
