"""Permissions of the REST API: every view declares them by method, and an undeclared method is denied.

class FacilityViewSet(...):
    needs = READ_AND_WRITE
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from typing_extensions import override

from customers.access.principal import Permission, principal_of

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads this class from the settings while it is imported itself

Needs = Mapping[str, Permission]

READ: Needs = {"GET": Permission.READ}
READ_AND_WRITE: Needs = {**READ, **dict.fromkeys(("POST", "PUT", "PATCH", "DELETE"), Permission.WRITE)}
ADMIN: Needs = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), Permission.ADMIN)


class HasNeededPermission(BasePermission):
    """Require the permission that the view's `needs` declares for the method: 401 if anonymous, 403 if missing."""

    message = "The permission for this is missing."

    @override
    def has_permission(self, request: Request, view: APIView) -> bool:
        principal = principal_of(request)
        method = {"HEAD": "GET"}.get(request.method or "", request.method or "")
        if method not in view.allowed_methods:
            return True  # 405 follows
        needs: Needs = getattr(view, "needs", {})
        if method == "OPTIONS":
            return any(principal.may(needed) for needed in needs.values())
        needed = needs.get(method)
        return needed is not None and principal.may(needed)
