"""The table of access in docs/access.md, walked over every route, page and admin page by every kind of caller.

What is expected is read from the page itself, so that it tells the truth. A new route fails until its view declares
what it does, and until the page is generated again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db import models, transaction
from django.urls import reverse
from rest_framework.test import APIClient

from customers.access.actions import OWN_ACCOUNT
from customers.access.groups import GROUPS
from customers.access.token_sessions import TOKEN_KEY
from customers.models import Membership, StorageUnit
from ingestion.models import Source
from temperature_site.dev.access_table import Route, document, permitted_in_admin, routes
from tests.access_world import PARAMETER, World, make_world
from tests.factories import (
    MembershipFactory,
    StaffFactory,
    UserFactory,
    make_token,
)
from tests.responses import ApiResponse
from tests.rest_api.test_api_access import snapshot

pytestmark = pytest.mark.django_db
PAGE = settings.BASE_DIR / "docs" / "access.md"
API = "api/v1/"


@cache
def documented() -> tuple[dict[tuple[str, str], dict[str, str]], dict[str, dict[str, str]]]:
    """Return the cells of the page's tables: by method and route, and by model of the admin."""
    by_route: dict[tuple[str, str], dict[str, str]] = {}
    by_model: dict[str, dict[str, str]] = {}
    head: list[str] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            head = []
        elif not head:
            head = cells
        elif head[0] == "model":
            by_model[cells[0]] = dict(zip(head, cells, strict=True))
        else:
            row = dict(zip(head, cells, strict=True))
            for method, path in re.findall(r"(\w+) `/([^`]*)`", row.get("where", "")):
                by_route[method, path] = row
    return by_route, by_model


@pytest.fixture
def world() -> World:
    return make_world()


def _member(role: str) -> Callable[[World], APIClient]:
    def signed_in(world: World) -> APIClient:
        return _session_of(MembershipFactory(customer=world.customer, role=role).user)

    return signed_in


def _staff(group: str) -> Callable[[World], APIClient]:
    def signed_in(world: World) -> APIClient:
        user = UserFactory(is_staff=True)
        user.groups.set(Group.objects.filter(name=group))
        return _session_of(user)

    return signed_in


def _token(*permissions: str, by: str | None = None, is_limited: bool = False) -> Callable[[World], APIClient]:
    def with_token(world: World) -> APIClient:
        creator = MembershipFactory(customer=world.customer, role=by).user if by else None
        units = list(StorageUnit.objects.filter(public_id=str(world.ids["unit_id"])).select_related("facility"))
        token, text = make_token(
            world.customer, permissions=permissions, created_by=creator, units=units if is_limited else []
        )
        client = APIClient(raise_request_exception=False)
        # As a session on pages, as a header for the API.
        session = client.session
        session[TOKEN_KEY] = token.pk
        session.save()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
        return client

    return with_token


def _session_of(user: User) -> APIClient:
    client = APIClient()
    client.force_login(user)
    return client


# Which cell says that a caller may do it: its column, and what it must contain.
Expected = Callable[[dict[str, str]], bool]


def _marked(column: str) -> Expected:
    return lambda row: row[column] == "✓"


def _carried(*permissions: str, by: str | None = None, is_limited: bool = False) -> Expected:
    def is_expected(row: dict[str, str]) -> bool:
        token = row["token"]
        is_carried = any(f"`{each}`" in token for each in permissions) or (bool(token) and "admin" in permissions)
        is_reached = not is_limited or "units" in token
        return is_carried and is_reached and (by is None or row[by] == "✓")

    return is_expected


CALLERS: dict[str, tuple[Callable[[World], APIClient], Expected]] = {
    **{role: (_member(role), _marked(role)) for role in Membership.Role.values},
    **{group: (_staff(group), _marked(group)) for group in GROUPS},
    "staff without permissions": (_staff("none"), lambda row: False),
    "nobody's member": (lambda world: _session_of(UserFactory()), lambda row: False),
    "manager of another customer": (
        lambda world: _session_of(MembershipFactory(role="manager").user),
        lambda row: False,
    ),
    **{f"{each} token": (_token(each), _carried(each)) for each in ("read", "write", "manage", "admin")},
    "operator's token": (
        _token("read", "write", "manage", by="operator"),
        _carried("read", "write", "manage", by="operator"),
    ),
    "viewer's token": (
        _token("read", "write", "manage", by="viewer"),
        _carried("read", "write", "manage", by="viewer"),
    ),
    "manager's admin token": (_token("admin", by="manager"), _carried("admin", by="manager")),
    "token of a unit": (
        _token("read", "write", "manage", is_limited=True),
        _carried("read", "write", "manage", is_limited=True),
    ),
}


def is_of_api(route: Route) -> bool:
    return route.path.startswith(API) or route.path == "system-info"


def send(client: APIClient, world: World, route: Route) -> ApiResponse:
    body_format = "json" if is_of_api(route) else "multipart"
    options: dict[str, Any] = {} if route.method == "GET" else {"data": {}, "format": body_format}
    response: ApiResponse = getattr(client, route.method.lower())(world.url(route.path), **options)
    return response


def walk(caller: str, world: World) -> Iterator[tuple[str, bool, int]]:
    """Yield every route with whether the page permits it to the caller, and the status of the response."""
    make_client, is_expected = CALLERS[caller]
    client = make_client(world)
    by_route, _ = documented()
    for route in routes():
        if route.action is OWN_ACCOUNT or (route.is_open and route.method == "GET"):
            continue
        if caller == "manager of another customer" and not PARAMETER.search(route.path):
            continue
        if caller in ("write token", "manage token") and not is_of_api(route):
            continue  # it cannot sign in
        with transaction.atomic():
            status = send(client, world, route).status_code
            transaction.set_rollback(True)
        is_permitted = is_expected(by_route[route.method, route.path])
        if caller == "token of a unit" and not is_of_api(route):
            is_permitted = is_permitted and "`read`" in by_route[route.method, route.path]["token"]
        yield f"{route.method} /{route.path}", is_permitted, status


def test_every_route_declares_what_it_does() -> None:
    assert [route for route in routes() if route.action is None] == []


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "Run `manage.py access_table --write`."


@pytest.mark.parametrize("caller", CALLERS)
def test_every_line_of_the_page_holds(world: World, caller: str) -> None:
    wrong = [
        (where, status)
        for where, is_permitted, status in walk(caller, world)
        if is_permitted is (status in (401, 403, 404)) or status >= 500
    ]
    assert wrong == []


@pytest.mark.parametrize("caller", ["nobody's member", "staff without permissions"])
def test_pages_that_signing_in_leads_to_open_empty(world: World, caller: str) -> None:
    client = CALLERS[caller][0](world)
    for route in routes():
        if route.is_open and route.method == "GET":
            response = send(client, world, route)
            assert response.status_code == 200, route
            assert world.customer.name not in response.content.decode()


def admin_statuses(client: APIClient, model: type[models.Model]) -> dict[str, int]:
    """Return the statuses of the model's pages in the admin; the form that changes a row is sent empty."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.first()
    sent: dict[str, Callable[[], Any]] = {
        "view": lambda: client.get(reverse(f"{name}_changelist")),
        "add": lambda: client.get(reverse(f"{name}_add")),
    }
    if row is not None:
        sent["change"] = lambda: client.post(reverse(f"{name}_change", args=[row.pk]), {}, format="multipart")
    statuses = {}
    for page, send_it in sent.items():
        with transaction.atomic():
            statuses[page] = send_it().status_code
            transaction.set_rollback(True)
    return statuses


@pytest.mark.parametrize("group", [*GROUPS, "none"])
def test_every_page_of_the_admin_holds(world: World, group: str) -> None:
    client = _staff(group)(world)
    _, by_model = documented()
    wrong = [
        (model._meta.label, page, status)
        for model in admin.site._registry
        for page, status in admin_statuses(client, model).items()
        if (page in by_model[model._meta.label].get(group, "").split(", ")) is (status == 403) or status >= 500
    ]
    assert wrong == []


@pytest.mark.parametrize("group", ["Support", "none"])
def test_staff_who_only_view_change_nothing_in_the_admin(world: World, group: str) -> None:
    client, before = _staff(group)(world), snapshot()
    for model, model_admin in admin.site._registry.items():
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        row = model._default_manager.first()
        names = [getattr(each, "__name__", each) for each in model_admin.actions or ()]
        for name in ["delete_selected", *names]:
            data = {"action": name, "_selected_action": [row.pk if row else 0], "post": "yes", "index": 0}
            client.post(url, data, format="multipart")
    assert snapshot() == before
    assert not Source.objects.filter(is_paused=True).exists()


def test_all_permissions_are_what_administrators_have() -> None:
    expected = Permission.objects.exclude(content_type__app_label__in=["contenttypes", "sessions"])
    administrators = Group.objects.get(name="Administrators").permissions.all()
    assert set(administrators) == set(expected)
    superuser, user = StaffFactory(), UserFactory(is_staff=True)
    user.groups.set(Group.objects.filter(name="Administrators"))
    assert permitted_to(user) == permitted_to(superuser)


def permitted_to(user: User) -> dict[str, list[str]]:
    """Return what the user may do in the admin by model."""
    permissions = frozenset(user.get_all_permissions())
    return {
        model._meta.label: permitted_in_admin(model_admin, permissions)
        for model, model_admin in admin.site._registry.items()
    }


def test_only_superusers_change_superusers_and_only_administrators_other_staff() -> None:
    statuses = {}
    for name in ("superuser", "Administrators", "changes users"):
        actor = UserFactory(is_staff=True, is_superuser=name == "superuser")
        actor.groups.set(Group.objects.filter(name=name))
        if name == "changes users":
            actor.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
        client = _session_of(actor)
        statuses[name] = [
            client.post(reverse("admin:auth_user_change", args=[user.pk]), {}, format="multipart").status_code
            for user in (StaffFactory(), UserFactory(is_staff=True), UserFactory())
        ]
    assert statuses == {
        "superuser": [200, 200, 200],
        "Administrators": [403, 200, 200],
        "changes users": [403, 403, 200],
    }


@pytest.mark.parametrize(
    ("group", "left"),
    [("superuser", []), ("Administrators", ["superuser"]), ("deletes factors", ["staff", "superuser"])],
)
def test_second_factors_are_deleted_by_those_who_may_change_the_account(group: str, left: list[str]) -> None:
    accounts = [StaffFactory(username="superuser"), UserFactory(username="staff", is_staff=True), UserFactory()]
    factors = [TOTP.activate(user, generate_totp_secret()).instance for user in accounts]
    actor = UserFactory(is_staff=True, is_superuser=group == "superuser")
    actor.groups.set(Group.objects.filter(name=group))
    if group == "deletes factors":
        rights = ["view_authenticator", "delete_authenticator"]
        actor.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = _session_of(actor)

    for factor in factors:
        client.post(reverse("admin:mfa_authenticator_delete", args=[factor.pk]), {"post": "yes"}, format="multipart")
    chosen = {"action": "delete_selected", "_selected_action": [factor.pk for factor in factors], "post": "yes"}
    client.post(reverse("admin:mfa_authenticator_changelist"), chosen, format="multipart")

    names = User.objects.filter(authenticator__isnull=False).order_by("username").values_list("username", flat=True)
    assert list(names) == left


@pytest.mark.parametrize("group", ["Administrators", "none"])
def test_nobody_makes_themselves_a_superuser(group: str) -> None:
    actor = UserFactory(is_staff=True)
    actor.groups.set(Group.objects.filter(name=group))
    actor.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    target = UserFactory()
    fields = {
        "username": target.username,
        "is_active": "on",
        "is_superuser": "on",
        "is_staff": "on",
        "date_joined_0": "2026-11-28",
        "date_joined_1": "10:00:00",
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
    }
    url = reverse("admin:auth_user_change", args=[target.pk])
    assert _session_of(actor).post(url, fields, format="multipart").status_code == 302
    target.refresh_from_db()
    assert (target.is_superuser, target.is_staff) == (False, group == "Administrators")
