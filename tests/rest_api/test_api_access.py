"""Access control of the REST API: every route and method, called by every kind of caller.

The routes are read from the URL configuration, so a new one fails until it is added to ROUTES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from alarms.models import Alarm
from customers.access.tokens import revoke
from customers.models import ApiToken, Customer, Facility, StorageUnit
from ingestion.models import Source
from tests.alarm_factories import AlarmFactory
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    MembershipFactory,
    PushSourceFactory,
    SensorFactory,
    SourceFactory,
    StaffFactory,
    StorageUnitFactory,
    UserFactory,
    make_token,
    store_readings,
)
from tests.responses import ApiResponse

# One worker of pytest-xdist makes the objects once.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("access of the API")]
API = "api/v1/"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
START = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """A customer with every kind of object, and every kind of caller."""

    unit: StorageUnit
    own_token: ApiToken
    alarm: Alarm
    source: Source
    push_source: Source
    clients: dict[str, APIClient] = field(default_factory=dict)

    @property
    def customer(self) -> Customer:
        return self.unit.facility.customer

    def url(self, route: str) -> str:
        """Return the URL of the route with the ids of the customer's objects."""
        names: dict[str, str | UUID] = {
            "<uuid:facility_id>": self.unit.facility.public_id,
            "<uuid:unit_id>": self.unit.public_id,
            "<uuid:alarm_id>": self.alarm.public_id,
            "<str:key>": "data_retention_days",
        }
        owned: dict[str, Facility | Customer | ApiToken | Source] = {
            "facilities": self.unit.facility,
            "customers": self.customer,
            "tokens": self.own_token,
            "sources": self.source,
            "ingest": self.push_source,
        }
        parts = route.split("/")
        for place, part in enumerate(parts):
            if part == "<uuid:public_id>":
                parts[place] = str(owned[parts[place - 1]].public_id)
            elif part in names:
                parts[place] = str(names[part])
        return f"/{API}{'/'.join(parts)}"


Body = Callable[[World], Any]


@dataclass(frozen=True)
class Call:
    """The permission that a method of a route requires, and its responses.

    foreign: the status for a token of another customer with all permissions there.
    """

    needs: str
    ok: int = 200
    foreign: int = 200
    body: Body = lambda world: {}


def _reading(world: World) -> dict[str, Any]:
    return {
        "storage_unit_id": str(world.unit.public_id),
        "temperature": 4.5,
        "temperature_unit": "C",
        "recorded_at": "2026-11-21T10:00:00Z",
        "sensor_id": "S1",
    }


def _sent_row(world: World) -> dict[str, Any]:
    return {"unit_id": world.unit.unit_code, "time": "2026-11-21T10:00:00Z", "temperature": 4.5}


READ, FOREIGN_READ = Call("read"), Call("read", foreign=404)
ADMIN = Call("admin", foreign=403)


def _manage(ok: int = 200, *, foreign: int = 404, **body: Any) -> Call:
    return Call("manage", ok, foreign, lambda world: body)


def _admin(ok: int = 200, **body: Any) -> Call:
    return Call("admin", ok, 403, lambda world: body)


# Required permission, status, and status for another customer, by route and method.
ROUTES: dict[str, dict[str, Call]] = {
    "": {"GET": READ},
    "temperature": {"GET": READ, "POST": Call("write", 201, 404, _reading)},
    "temperature/bulk": {"POST": Call("write", 200, 200, lambda world: [_reading(world)])},
    "temperature/latest": {"GET": READ},
    "temperature/stats": {"GET": READ},
    "temperature/aggregate": {"POST": Call("read", body=lambda world: {"group_by": ["day"]})},
    "temperature/facility/<uuid:facility_id>": {"GET": FOREIGN_READ},
    "temperature/unit/<uuid:unit_id>": {"GET": FOREIGN_READ},
    "temperature/unit/<uuid:unit_id>/series": {"GET": FOREIGN_READ},
    "facilities": {"GET": READ, "POST": _manage(201, foreign=201, facility_code="new")},
    "facilities/<uuid:public_id>": {"GET": FOREIGN_READ, "PUT": _manage(name="n"), "PATCH": _manage(name="n")},
    "facilities/<uuid:facility_id>/detailed": {"GET": FOREIGN_READ},
    "facilities/<uuid:facility_id>/units": {"GET": FOREIGN_READ, "POST": _manage(201, unit_code="new")},
    "units/<uuid:unit_id>": {"GET": FOREIGN_READ, "PUT": _manage(name="n"), "PATCH": _manage(name="n")},
    "units/<uuid:unit_id>/sensors": {"GET": FOREIGN_READ},
    "units/<uuid:unit_id>/sensors/retirement": {"PUT": _manage(sensor_id="S1")},
    "units/<uuid:unit_id>/limits": {"GET": FOREIGN_READ, "PUT": _manage(sensor_policy="mean")},
    "units/<uuid:unit_id>/limits/preview": {"POST": _manage(sensor_policy="mean")},
    "limit-profiles": {"GET": READ},
    "alarms": {"GET": READ},
    "alarms/<uuid:alarm_id>": {"GET": FOREIGN_READ},
    "alarms/<uuid:alarm_id>/acknowledge": {"POST": _manage(comment="On my way.")},
    "alarms/<uuid:alarm_id>/comment": {"POST": _manage(comment="The door was open.")},
    "alarms/<uuid:alarm_id>/close": {"POST": _manage(cause="The door.", corrective_action="A closer.")},
    "excursions": {"GET": READ},
    "customers/profile": {"GET": READ, "PUT": _manage(foreign=200, name="n")},
    "customers/tokens": {"GET": READ, "POST": _manage(201, foreign=201, token_name="n", permissions=["manage"])},
    "customers/tokens/<uuid:public_id>": {"GET": FOREIGN_READ, "DELETE": _manage()},
    "sources": {"GET": READ, "POST": _manage(201, foreign=201, name="new", url="https://cold.example.com/readings")},
    "sources/<uuid:public_id>": {"GET": FOREIGN_READ, "PUT": _manage(name="n"), "PATCH": _manage(name="n")},
    "sources/<uuid:public_id>/test": {"POST": _manage()},
    "sources/<uuid:public_id>/poll": {"POST": _manage()},
    "sources/<uuid:public_id>/pause": {"POST": _manage()},
    "sources/<uuid:public_id>/resume": {"POST": _manage()},
    "sources/<uuid:public_id>/tokens": {"POST": _manage(201, token_name="n")},
    "ingest/<uuid:public_id>": {"POST": Call("write", 200, 404, _sent_row)},
    "analytics/temperature/summary": {"GET": READ},
    "analytics/temperature/trends": {"GET": READ},
    "analytics/alarms/history": {"GET": READ},
    "analytics/performance": {"GET": READ},
    "admin/customers": {"GET": ADMIN, "POST": _admin(201, customer_code="new", name="New")},
    "admin/customers/<uuid:public_id>": {"GET": ADMIN, "PUT": _admin(name="n")},
    "admin/customers/<uuid:public_id>/tokens": {
        "GET": ADMIN, "POST": _admin(201, token_name="n", permissions=["read"]),
    },
    "admin/facilities": {"GET": ADMIN},
    "admin/temperature": {"GET": ADMIN},
    "admin/temperature/facility/<uuid:facility_id>": {"GET": ADMIN},
    "admin/config": {"GET": ADMIN},
    "admin/config/<str:key>": {"GET": ADMIN, "PUT": _admin(value=800)},
    "admin/ingestion/logs": {"GET": ADMIN},
    "admin/analytics/temperature/summary": {"GET": ADMIN},
}  # fmt: skip
# The catch-all that responds with 404.
NO_ROUTE = "<anything:rest>"


def routes() -> Iterator[tuple[str, Any]]:
    """Yield every path of the API with its view, from the URL configuration."""

    def detector(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, Any]]:
        for pattern in resolver.url_patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from detector(pattern, path)
            elif isinstance(pattern, URLPattern) and path.startswith(API):
                yield path.removeprefix(API), pattern.callback

    yield from detector(get_resolver(), "")


@pytest.fixture(scope="module")
def stored_world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """Create it for all tests of the module: each of them changes a savepoint of its own."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_world()
        transaction.set_rollback(True)


@pytest.fixture
def world(stored_world: World, db: None) -> World:
    return stored_world


def make_world() -> World:
    unit = StorageUnitFactory(facility=FacilityFactory())
    store_readings(unit, [5.0, None, 6.0], start=START, sensor=SensorFactory(storage_unit=unit, sensor_code="S1"))
    customer, now = unit.facility.customer, datetime.now(UTC)
    own_token, _ = make_token(customer)
    revoked, revoked_text = make_token(customer, permissions=["admin"])
    revoke(ApiToken.objects.filter(pk=revoked.pk))
    texts = {
        "garbage": "tms_garbage",
        "expired": make_token(customer, permissions=["admin"], expires_at=now - timedelta(seconds=1))[1],
        "revoked": revoked_text,
        "inactive customer": make_token(CustomerFactory(is_active=False), permissions=["admin"])[1],
        "other customer": make_token()[1],
        "read": make_token(customer, permissions=["read"])[1],
        "write": make_token(customer, permissions=["write"])[1],
        "manage": make_token(customer, permissions=["manage"])[1],
        "admin": make_token(permissions=["admin"])[1],
    }
    clients = {"no token": APIClient()} | {kind: _client(text) for kind, text in texts.items()}
    # Its condition has ended, so it can be closed.
    alarm = AlarmFactory(storage_unit=unit, ended_at=now - timedelta(minutes=1))
    # Not allowed to be requested, so a trial of it ends at once.
    source = SourceFactory(customer=customer, url="http://127.0.0.1/readings")
    return World(unit, own_token, alarm, source, PushSourceFactory(customer=customer), clients)


def _client(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def send(client: APIClient, world: World, route: str, method: str, call: Call | None = None) -> ApiResponse:
    data = call.body(world) if call and method != "GET" else None
    response: ApiResponse = getattr(client, method.lower())(world.url(route), data)
    return response


def snapshot() -> list[tuple[str, str]]:
    """Return a hash of every table, except for the use of tokens and for attempts with unknown ones."""
    tables = [
        model._meta.db_table
        for label in ("customers", "readings", "alarms", "ingestion")
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
        if model._meta.managed and model._meta.db_table not in ("token_use", "sign_in_tries")
    ]
    parts = [
        f"SELECT '{table}', md5(coalesce(string_agg(row::text, ',' ORDER BY row::text), '')) "  # noqa: S608
        f"FROM (SELECT to_jsonb(t) - 'last_used_at' AS row FROM {table} AS t) AS rows"
        for table in tables
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return sorted(cursor.fetchall())


def expected(call: Call, kind: str) -> int:
    if kind in ("no token", "garbage", "expired", "revoked", "inactive customer"):
        return 401
    if kind == "other customer":
        return call.foreign
    return call.ok if kind in (call.needs, "admin") else 403


KINDS = (
    "no token", "garbage", "expired", "revoked", "inactive customer", "other customer", "read", "write", "manage",
    "admin",
)  # fmt: skip
REFUSALS = (401, 403, 404)
CALLS = [(route, method) for route, calls in ROUTES.items() for method in calls]
ACCEPTED = [
    (route, method, kind)
    for route, method in CALLS
    for kind in KINDS
    if expected(ROUTES[route][method], kind) not in REFUSALS
]


def test_every_route_and_method_is_covered() -> None:
    declared = {}
    for route, callback in routes():
        view = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
        if route != NO_ROUTE:
            assert view is not None, f"{route} is not a view of the REST framework"
            declared[route] = {method for method in METHODS if hasattr(view, method.lower())}
    assert declared == {route: set(calls) for route, calls in ROUTES.items()}


@pytest.mark.parametrize(("route", "method", "kind"), ACCEPTED)
def test_callers_with_the_permission_are_accepted(world: World, route: str, method: str, kind: str) -> None:
    call = ROUTES[route][method]
    response = send(world.clients[kind], world, route, method, call)
    assert response.status_code == expected(call, kind), response.content


@pytest.mark.parametrize(("route", "method"), CALLS)
def test_all_others_are_refused_and_change_nothing(world: World, route: str, method: str) -> None:
    call, before = ROUTES[route][method], snapshot()
    for kind in KINDS:
        status = expected(call, kind)
        if status in REFUSALS:
            response = send(world.clients[kind], world, route, method, call)
            assert (kind, response.status_code, list(response.json())) == (kind, status, ["detail"]), response.content
            assert status != 401 or response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert snapshot() == before


@pytest.mark.parametrize("route", ROUTES)
def test_an_unsupported_method_is_405_for_authenticated_callers(world: World, route: str) -> None:
    for method in set(METHODS) - set(ROUTES[route]):
        assert send(world.clients["admin"], world, route, method).status_code == 405
        assert send(world.clients["no token"], world, route, method).status_code == 401


def test_bulk_readings_of_another_customer_have_unknown_units(world: World) -> None:
    before = snapshot()
    route = "temperature/bulk"
    response = send(world.clients["other customer"], world, route, "POST", ROUTES[route]["POST"]).json()
    assert [(error["row"], error["code"]) for error in response["errors"]] == [(1, "unknown_unit")]
    changed = {table for (table, was), (_, now) in zip(before, snapshot(), strict=True) if was != now}
    assert changed == {"delivery"}


@pytest.mark.parametrize(
    ("role", "rights"),
    [("viewer", ["read"]), ("operator", ["read", "write", "manage"]), ("manager", ["read", "write", "manage"])],
)
def test_a_signed_in_member_is_limited_to_their_role(world: World, role: str, rights: list[str]) -> None:
    client = APIClient()
    client.force_login(MembershipFactory(customer=world.customer, role=role).user)
    before = snapshot()
    for route, method in CALLS:
        call = ROUTES[route][method]
        if call.needs not in rights:
            assert send(client, world, route, method, call).status_code == 403
    assert snapshot() == before


@pytest.mark.parametrize("route", [route for route in ROUTES if "GET" in ROUTES[route]])
def test_staff_read_everything(world: World, route: str) -> None:
    client = APIClient()
    client.force_login(StaffFactory())
    # They have no customer of their own with a profile and tokens.
    expected_status = 422 if route in ("customers/profile", "customers/tokens") else 200
    assert send(client, world, route, "GET").status_code == expected_status


def test_a_user_without_a_customer_has_no_access(world: World) -> None:
    client = APIClient()
    client.force_login(UserFactory())
    for route, method in CALLS:
        assert send(client, world, route, method, ROUTES[route][method]).status_code == 403


def test_changes_by_session_require_a_csrf_token(world: World) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(MembershipFactory(customer=world.customer, role="manager").user)
    before = snapshot()
    assert send(client, world, "temperature", "POST", ROUTES["temperature"]["POST"]).status_code == 403
    assert snapshot() == before
    assert send(client, world, "temperature", "GET").status_code == 200


@pytest.mark.parametrize("path", ["nowhere", "facilities/%0Ax/units", "nowhere%0A"])
def test_an_unknown_path_is_404_in_json(client: Client, path: str) -> None:
    response = client.get(f"/{API}{path}")
    assert (response.status_code, list(response.json())) == (404, ["detail"])


@pytest.mark.parametrize("method", METHODS)
def test_a_mistyped_path_is_404_for_every_method(method: str) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token()[1]}")
    response = getattr(client, method.lower())(f"/{API}units/no-uuid")
    assert (response.status_code, list(response.json())) == (404, ["detail"])
