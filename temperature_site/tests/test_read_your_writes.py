"""Whoever has just changed something reads from the primary until the replica has caught up."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory
from pytest_django import Settings

from core.db import replica
from core.db.replica import ReplicaRouter, from_replica
from customers.models import Customer
from temperature_site.middleware.replica import COOKIE, ReadYourWritesMiddleware


@from_replica
def respond(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse(ReplicaRouter().db_for_read(Customer))


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> RequestFactory:
    settings.REPLICA_MAX_LAG_SECONDS = 5
    monkeypatch.setattr(replica, "is_replica_usable", lambda: True)
    return RequestFactory()


def test_a_request_that_may_change_something_sets_the_cookie_for_longer_than_the_lag(requests: RequestFactory) -> None:
    middleware = ReadYourWritesMiddleware(respond)
    assert not middleware(requests.get("/")).cookies
    assert middleware(requests.post("/")).cookies[COOKIE]["max-age"] == 7


def test_with_the_cookie_the_primary_is_read_and_without_it_the_replica(requests: RequestFactory) -> None:
    middleware = ReadYourWritesMiddleware(respond)
    requests.cookies[COOKIE] = "1"
    assert middleware(requests.get("/")).getvalue() == b"default"
    del requests.cookies[COOKIE]
    assert middleware(requests.get("/")).getvalue() == b"replica"
