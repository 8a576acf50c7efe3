"""What load balancers and people ask a process for: is it there, and does everything do its work?"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from core.caching import Kept
from temperature_site.health.checks import Findings, examine
from temperature_site.version import VERSION

STARTED = time.monotonic()

# Anybody may ask, and an answer costs two connections.
KEPT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, and when."""

    at: datetime
    findings: Findings


def _examined() -> Examination:
    now = timezone.now()
    return Examination(now, examine(now))


examiner = Kept(_examined, KEPT_SECONDS)


def ping(request: HttpRequest) -> JsonResponse:
    """Answer that the process answers; touches neither database nor broker."""
    return JsonResponse({"ping": "pong"})


def health_answer() -> tuple[dict[str, Any], bool]:
    """What HealthSerializer describes, and whether the database is out: then this process can answer nothing."""
    examination = examiner.value()
    findings = examination.findings
    answer = {
        "status": findings.status,
        "version": VERSION,
        "timestamp": examination.at,
        "uptime_seconds": round(time.monotonic() - STARTED, 3),
    }
    return answer | asdict(findings), not findings.has_database
