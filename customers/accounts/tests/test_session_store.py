"""Sessions are loaded as Django's store does it, by one prepared statement."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.accounts.session_store import SessionStore

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> str:
    store = SessionStore()
    store["name"] = "Vaccines"
    store.save()
    assert store.session_key is not None
    return store.session_key


def test_a_session_is_loaded_with_one_statement(key: str, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        loaded = SessionStore(key).load()
    assert loaded == {"name": "Vaccines"} == DatabaseStore(key).load()


def test_an_expired_session_is_not_loaded(key: str) -> None:
    expiry = Session.objects.get(session_key=key).expire_date
    for instant, expected in ((expiry - timedelta(seconds=1), "Vaccines"), (expiry, None)):
        with time_machine.travel(instant, tick=False):
            store = SessionStore(key)
            assert store.get("name") == expected
            assert (store.session_key == key) is (expected is not None)
    assert expiry - timezone.now() > timedelta(seconds=settings.SESSION_COOKIE_AGE - 60)


def test_an_unknown_key_is_not_kept() -> None:
    store = SessionStore("x" * 32)
    assert store.get("name") is None
    assert store.session_key is None
