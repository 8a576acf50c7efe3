"""The pages that show how data was, or would be, understood."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from ingestion.models import Delivery
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling.tests.polling import ServedSource, json_answer, polled_once
from readings.models import Reading
from tests.factories import MembershipFactory, RejectedRowFactory, StaffFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]


def source_page(name: str, source: ServedSource, *more: object) -> str:
    return reverse(name, args=[source.public_id, *more])


def test_a_manager_tests_a_source_and_nothing_is_stored(source_of: Callable[..., ServedSource], client: Client) -> None:
    source = source_of(json_answer(json_body(json_row(temperature=5.5), json_row(temperature="warm"))))
    client.force_login(MembershipFactory(customer=source.customer, role="manager").user)

    page = client.post(source_page("source-test", source)).content.decode()

    assert "<strong>1</strong> would be stored" in page
    assert "5.5\N{NO-BREAK SPACE}°C" in page
    assert '<span class="badge text-bg-secondary">Null values</span>' in page
    assert (Reading.objects.count(), Delivery.objects.count()) == (0, 0)


def test_an_operator_may_not_test_a_source(source_of: Callable[..., ServedSource], client: Client) -> None:
    source = source_of(json_answer(json_body()))
    client.force_login(MembershipFactory(customer=source.customer, role="operator").user)

    assert client.post(source_page("source-test", source)).status_code == 403
    assert source.server.heads == []


def test_a_delivery_shows_how_its_rows_were_understood(source_of: Callable[..., ServedSource], client: Client) -> None:
    source = source_of(json_answer(json_body(json_row(temperature=41.0, temperature_unit="F"))))
    delivery = polled_once(source)
    client.force_login(MembershipFactory(customer=source.customer).user)

    page = client.get(source_page("source-delivery", source, delivery.public_id)).content.decode()

    assert "41.0\N{NO-BREAK SPACE}°F" in page
    assert "5.0\N{NO-BREAK SPACE}°C" in page
    assert "given by &quot;temperature_unit&quot;" in page


def test_a_delivery_shows_an_example_of_each_reason_for_rejected_rows(client: Client) -> None:
    row = RejectedRowFactory(raw="23.11.2026;warm", reason="not_a_number", message="Add it to the null values.")
    assert row.source is not None
    assert row.delivery is not None
    client.force_login(MembershipFactory(customer=row.customer).user)

    page = client.get(reverse("source-delivery", args=[row.source.public_id, row.delivery.public_id])).content.decode()

    assert "Rejected: Not a number" in page
    assert "23.11.2026;warm" in page
    assert '<span class="badge text-bg-secondary">Null values</span>' in page


def test_the_admin_links_to_the_test_of_a_source(source_of: Callable[..., ServedSource], client: Client) -> None:
    source = source_of(json_answer(json_body()))
    client.force_login(StaffFactory())

    page = client.get(reverse("admin:ingestion_source_change", args=[source.pk])).content.decode()

    assert source_page("source-test", source) in page
