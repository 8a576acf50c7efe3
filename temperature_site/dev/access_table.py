"""The table of access in the documentation: who may do what, and where, from the code that decides it.

The routes come from the URL configuration, what they do from the actions that their views declare, and the admin's part
from its own registry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, get_resolver
from typing_extensions import override

from core.web.admin import DeletesOnlyUnused
from customers.access.actions import ACTIONS, OWN_ACCOUNT, ROLES, Action
from customers.access.groups import GROUPS, permissions_of_group

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Routes that require nothing: health and documentation, and pages of signing in and of the own account.
PUBLIC = (
    "ping",
    "live",
    "ready",
    "health",
    "metrics",
    "openapi.json",
    "docs",
    "redoc",
    "redoc/redoc.js",
    "account/",
    "api/v1/<anything:rest>",
    "^feeds",
    "__debug__/",
)
# Django's admin decides by itself, by model permissions.
ADMIN = "admin/"

HEADER = """# Access

Generated from the code by `manage.py access_table --write`. A test checks that the page is up to date, that every route
is in it, and that every line holds for each role, each group of staff and each permission of a token.

- **Members** have a role in a customer, and may do what is marked for it there.
- **Staff** may do what their model permissions allow, for every customer; being staff grants nothing by itself. The
  groups *Support* and *Administrators* ship with the system.
- **Tokens** need the permission, and the person who created the token must be able to do it as well: a token of an
  operator does not change limits. What a token loses, those created with it lose, too. A token limited to storage
  units may do what is marked with *units* over the API, and only views on pages.

Pages marked *open* can be opened by every signed-in person, and are empty for those who may view nothing: signing in
leads there.

"""
ADMIN_HEADER = """
## Admin

What staff may do on the admin's pages. The start page requires being staff.

"""


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a path, and the action that its view declares; None if it declares none.

    is_open: a page that every signed-in person can open, empty if they may view nothing.
    """

    path: str
    method: str
    action: Action | None
    is_open: bool = False

    def __str__(self) -> str:
        return f"{self.method} `/{self.path}`{' (open)' if self.is_open and self.method == 'GET' else ''}"


def routes() -> list[Route]:
    """Return every route and method, except public ones and those of Django's admin."""
    return list(_routes(get_resolver(), ""))


def _routes(resolver: URLResolver, prefix: str) -> Iterator[Route]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if path.startswith(ADMIN) or _is_public(path):
            continue
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern, path)
        elif isinstance(pattern, URLPattern):
            yield from _methods(path, pattern)


def _is_public(path: str) -> bool:
    folders = tuple(each for each in PUBLIC if each.endswith("/") or each.startswith("^"))
    return path in PUBLIC or path.startswith(folders)


def _methods(path: str, pattern: URLPattern) -> Iterator[Route]:
    view: object = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
    if view is None:
        needs: dict[str, Action] = getattr(pattern.callback, "needs", {})
        is_open: bool = getattr(pattern.callback, "is_open", False)
        yield from (Route(path, method, needs[method], is_open) for method in needs)
        if not needs:
            yield Route(path, "any", None)
        return
    needs = getattr(view, "needs", {})
    yield from (Route(path, method, needs.get(method)) for method in METHODS if hasattr(view, method.lower()))


def permitted_in_admin(model_admin: ModelAdmin[models.Model], permissions: frozenset[str]) -> list[str]:
    """Return the pages and actions of a model's admin that staff with these model permissions may use."""
    request = HttpRequest()
    request.user = _StaffWith(permissions)
    pages = {
        "view": model_admin.has_view_permission(request),
        "add": model_admin.has_add_permission(request),
        "change": model_admin.has_change_permission(request),
        "delete": model_admin.has_delete_permission(request) or _may_delete_unused(model_admin, request),
    }
    actions = [name for name in model_admin.get_actions(request) if name != "delete_selected"]
    return [page for page, is_permitted in pages.items() if is_permitted] + actions


def _may_delete_unused(model_admin: ModelAdmin[models.Model], request: HttpRequest) -> bool:
    codename = get_permission_codename("delete", model_admin.opts)
    is_permitted = request.user.has_perm(f"{model_admin.opts.app_label}.{codename}")
    return isinstance(model_admin, DeletesOnlyUnused) and is_permitted


class _StaffWith(AnonymousUser):
    """Staff with these model permissions, without an account."""

    is_active = True  # type: ignore[assignment]  # typed as always False
    is_staff = True  # type: ignore[assignment]  # typed as always False

    def __init__(self, permissions: frozenset[str]) -> None:
        self._permissions = permissions

    @override
    def has_perm(self, perm: str, obj: object = None) -> bool:
        return perm in self._permissions


def document() -> str:
    """Return the page in Markdown."""
    by_action: dict[Action, list[Route]] = {}
    for route in routes():
        if route.action is not None:
            by_action.setdefault(route.action, []).append(route)
    head = ["action", *ROLES, *GROUPS, "model permission", "token", "where"]
    rows = [_row(action, by_action.get(action, [])) for action in ACTIONS if action is not OWN_ACCOUNT]
    return HEADER + _table(head, rows) + ADMIN_HEADER + _table(["model", *GROUPS], _admin_rows())


def _admin_rows() -> Iterator[list[str]]:
    permissions = {name: permissions_of_group(name) for name in GROUPS}
    for model, model_admin in sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label):
        by_group = [", ".join(permitted_in_admin(model_admin, permissions[name])) for name in GROUPS]
        yield [model._meta.label, *(each.replace("_", " ") for each in by_group)]


def _row(action: Action, at: Iterable[Route]) -> list[str]:
    by_role = [_mark(action.is_permitted_to(role)) for role in ROLES]
    by_group = [_mark(action.model_permission in permissions_of_group(name)) for name in GROUPS]
    token = "" if action.permission is None else f"`{action.permission}`" + ("" if action.spans_units else ", units")
    where = "<br>".join(map(str, at))
    return [action.title, *by_role, *by_group, f"`{action.model_permission}`", token, where]


def _mark(is_permitted: bool) -> str:
    return "✓" if is_permitted else ""


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
