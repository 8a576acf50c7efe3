"""Who sees what the health of the system tells of its configuration and load: the operator."""

from __future__ import annotations

from django.contrib.auth import get_user
from django.contrib.auth.models import User
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from customers.access import actions
from customers.access.authentication import TokenAuthentication
from customers.access.principal import Principal


def is_operator(request: Request) -> bool:
    """Return whether the request is of staff who may view the system, or was sent with such a token."""
    # The REST framework has replaced the user of a view without authentication.
    user = get_user(request._request)
    if isinstance(user, User):
        return not Principal.of_user(user).scope_of(actions.VIEW_SYSTEM).is_empty
    try:
        authenticated = TokenAuthentication().authenticate(request)
    except APIException:
        return False  # the report itself requires no token
    return authenticated is not None and not authenticated[1].scope_of(actions.VIEW_SYSTEM).is_empty
