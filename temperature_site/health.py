"""What load balancers and people ask a process for: is it there, and does everything do its work?"""

from __future__ import annotations

import time
from dataclasses import asdict

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from temperature_site.examination import Examiner
from temperature_site.version import VERSION

STARTED = time.monotonic()

examiner = Examiner()


def ping(request: HttpRequest) -> JsonResponse:
    """Answer that the process answers; touches neither database nor broker."""
    return JsonResponse({"ping": "pong"})


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """Answer how every part is. 503 when the database is out: then this process can answer nothing."""
    found_at, findings = examiner.findings()
    answer = {
        "status": findings.status,
        "version": VERSION,
        "timestamp": found_at.isoformat(),
        "uptime_seconds": round(time.monotonic() - STARTED, 3),
    }
    return JsonResponse(answer | asdict(findings), status=503 if findings.status == "error" else 200)
