"""What load balancers and people ask a process for: is it there?"""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse


def ping(request: HttpRequest) -> JsonResponse:
    """Answer that the process answers; touches neither database nor broker."""
    return JsonResponse({"ping": "pong"})
