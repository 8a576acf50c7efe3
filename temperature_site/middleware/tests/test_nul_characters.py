"""NUL characters, which PostgreSQL cannot store, in queries and forms."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import StaffFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory())
    return client


@pytest.mark.parametrize("name", ["overview", "alarms", "facilities", "sources", "settings", "trail", "trail-csv"])
@pytest.mark.parametrize("parameter", ["text", "customer", "action", "state"])
def test_a_query_with_one_is_refused_by_every_page(staff: Client, name: str, parameter: str) -> None:
    assert staff.get(reverse(name), {parameter: "a\0b"}).status_code == 400


@pytest.mark.parametrize("name", ["setup", "imports"])
def test_a_form_with_one_is_refused(staff: Client, name: str) -> None:
    assert staff.post(reverse(name), {"customer": "A\0"}).status_code == 400
