"""Permissions of the REST API: every view declares its actions by method, and an undeclared method is denied.

class FacilityDetail(...):
    needs = {"GET": actions.VIEW_FACILITIES, "PUT": actions.CHANGE_FACILITIES}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from typing_extensions import override

from customers.access.actions import Action
from customers.access.principal import principal_of

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads this class from the settings while it is imported itself

Needs = Mapping[str, Action]


class HasNeededPermission(BasePermission):
    """Require the action that the view's `needs` declares for the method: 401 if anonymous, 403 if it is not permitted.

    The request continues with the principal's scope for that action.
    """

    message = "The permission for this is missing."

    @override
    def has_permission(self, request: Request, view: APIView) -> bool:
        principal = principal_of(request)
        method = {"HEAD": "GET"}.get(request.method or "", request.method or "")
        if method.lower() not in view.http_method_names or not hasattr(view, method.lower()):
            return True  # 405 follows
        needs: Needs = getattr(view, "needs", {})
        if method == "OPTIONS":
            return not all(principal.scope_of(action).is_empty for action in needs.values())
        action = needs.get(method)
        if action is None:
            return False
        if action.spans_units and principal.reach.unit_ids is not None:
            self.message = "A token that is limited to storage units can't do this."
        principal = principal.for_action(action)
        request.auth = principal
        return not principal.scope.is_empty
