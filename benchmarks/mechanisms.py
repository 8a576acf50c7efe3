"""What each special mechanism of data access saves: a request with it and without it, alternately in one process.

The requests go through the WSGI application, connections kept between requests included. The time is elapsed time,
because some mechanisms save PostgreSQL's work rather than this process's. One that saves nothing measurable on a
request with a budget is to be removed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple
from unittest.mock import patch

from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper as PlainWrapper
from django.test import override_settings

from benchmarks import storing
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.requests import Headers, Respond, request_in_process
from benchmarks.measuring.results import Results
from benchmarks.pages import signed_in
from core.db.compiled_queries import CompiledQuery, CompiledRows
from core.scope import Scope
from customers.access.auth_backend import AccountBackend
from customers.access.tokens import create_token
from customers.accounts.session_store import SessionStore
from customers.api.serializers import FacilitySerializer
from customers.api.views import FacilityList
from customers.models import Customer, Facility
from temperature_site.postgresql.base import DatabaseWrapper

FACILITIES, FEW_FACILITIES = 1_000, 10
WARM_UP, REPETITIONS = 20, 200
# The highest permitted time with a mechanism, as a ratio to the time without it.
MAX_RATIO = 0.97


class Mechanism(NamedTuple):
    """A mechanism, the request that needs it most, and what makes the request do without it."""

    name: str
    request: str
    respond: Respond
    without: Callable[[], AbstractContextManager[object]]


@override_settings(ALLOWED_HOSTS=["*"], SECURE_SSL_REDIRECT=False)
def run(results: Results) -> None:
    """Measure each request with and without its mechanism."""
    results.title("medians of elapsed time with a mechanism, as ratios to those without it")
    for each in _mechanisms():
        on, off = _compare(each)
        results.add(f"{each.name}: {each.request}", on / off, "of time without", at_most=MAX_RATIO, note=f"{on:.2f} ms")


def _mechanisms() -> list[Mechanism]:
    many, few, viewer = _prepare()
    facilities = request_in_process("GET", "/api/v1/facilities", few)
    facilities_page = request_in_process("GET", f"/api/v1/facilities?limit={FACILITIES}", many)
    return [
        Mechanism("prepared statements", "facilities", facilities, lambda: override_settings(PGBOUNCER=True)),
        Mechanism("compiled queries", "facilities", facilities, _compiling_each_time),
        Mechanism("socket check", "facilities", facilities, _checking_with_a_query),
        Mechanism("account backend", "series of a unit", viewer, _loading_roles_separately),
        Mechanism("session store", "series of a unit", viewer, _loading_sessions_by_orm),
        Mechanism("rows of a serializer", f"{FACILITIES:,} facilities", facilities_page, _serializing_instances),
    ]


def _compiling_each_time() -> AbstractContextManager[object]:
    visible_to = CompiledQuery.visible_to

    def compile_and_query(query: CompiledQuery, scope: Scope) -> CompiledRows:
        query._texts.clear()
        return visible_to(query, scope)

    return patch.object(CompiledQuery, "visible_to", compile_and_query)


def _checking_with_a_query() -> AbstractContextManager[object]:
    return patch.object(DatabaseWrapper, "is_usable", PlainWrapper.is_usable)


def _loading_roles_separately() -> AbstractContextManager[object]:
    return patch.object(AccountBackend, "get_user", ModelBackend.get_user)


def _loading_sessions_by_orm() -> AbstractContextManager[object]:
    return patch.object(SessionStore, "load", DatabaseStore.load)


def _serializing_instances() -> AbstractContextManager[object]:
    return patch.multiple(
        FacilityList,
        get_rows=lambda view: view.get_queryset().select_related("customer"),
        represent=lambda _view, facilities: FacilitySerializer(facilities, many=True).data,
    )


def _compare(mechanism: Mechanism) -> tuple[float, float]:
    """Return the median milliseconds of the request with and without the mechanism."""
    on, off = [], []
    for _ in range(WARM_UP + REPETITIONS):
        on.append(_milliseconds(mechanism.respond))
        with mechanism.without():
            off.append(_milliseconds(mechanism.respond))
    return statistics.median(on[WARM_UP:]), statistics.median(off[WARM_UP:])


def _milliseconds(respond: Respond) -> float:
    start = time.perf_counter()
    respond()
    return (time.perf_counter() - start) * 1000


def _prepare() -> tuple[Headers, Headers, Respond]:
    """Create a customer with many facilities and one with few.

    Return the headers of a token of each, and the request for the series of a unit by a viewer.
    """
    with connection.cursor() as cursor:
        cursor.execute(storing.EMPTY)
    tokens = [_token(code, count) for code, count in (("MANY", FACILITIES), ("FEW", FEW_FACILITIES))]
    make_units(1, "FEW")
    unit = Customer.objects.get(customer_code="FEW").facilities.get(facility_code="facility_0").units.get()
    viewer = dict(header.split(": ", 1) for header in signed_in("FEW"))
    series = request_in_process("GET", f"/units/{unit.public_id}/series.json?hours=1", viewer)
    return tokens[0], tokens[1], series


def _token(customer_code: str, facilities: int) -> Headers:
    customer, _ = Customer.objects.get_or_create(customer_code=customer_code, defaults={"name": customer_code})
    Facility.objects.bulk_create(
        Facility(customer=customer, facility_code=f"facility_{number}", time_zone="UTC") for number in range(facilities)
    )
    return {"Authorization": f"Bearer {create_token(customer, 'benchmark', ['read'])[1]}"}
