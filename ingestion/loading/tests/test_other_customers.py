"""Rows that name another customer of the system are not stored for the customer whose source or file brought them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from customers.models import Customer
from ingestion.loading import replay
from ingestion.models import RejectedRow, Source
from ingestion.parsing.tests.parsing import csv_body, csv_row, json_body, json_row
from ingestion.polling.tests.polling import counts, csv_answer, json_answer, polled_once
from ingestion.polling.tests.scripted_server import Script
from readings.models import Reading
from tests.factories import CustomerFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(customer_code="A")


@pytest.fixture
def other() -> Customer:
    return CustomerFactory(customer_code="B")


@pytest.mark.parametrize(
    "script",
    [
        json_answer(json_body(json_row(), json_row(customer_id="B", unit_id="unit_B_1_1"))),
        json_answer(json_body(json_row(), json_row(customer_id="B", unit_id="unit_B_1_1", more="\\n"))),
        csv_answer(csv_body(csv_row(), csv_row(customer_id="B", unit_id="unit_B_1_1"))),
    ],
    ids=["usual JSON", "unusual JSON", "CSV"],
)
def test_they_are_rejected_with_the_reason(
    source_of: Callable[..., Source], customer: Customer, other: Customer, script: Script
) -> None:
    delivery = polled_once(source_of(script, customer=customer))

    assert counts(delivery) == (1, 0, 0, 1)
    row = RejectedRow.objects.get()
    assert (row.reason, row.customer) == ("other_customer", customer)
    assert row.message.startswith('The row names "B", another customer of this system.')


def test_rows_with_a_name_that_is_nobodys_code_are_stored_and_the_delivery_tells_it(
    source_of: Callable[..., Source],
) -> None:
    source = source_of(json_answer(json_body(json_row())), customer=CustomerFactory(customer_code="PHARMA"))

    delivery = polled_once(source)

    assert counts(delivery) == (1, 0, 0, 0)
    (note,) = [note for note in delivery.notes if "customer" in note]
    assert note.startswith('Rows name the customer "A", which is no customer')


def test_the_customers_own_code_is_not_told(source_of: Callable[..., Source], customer: Customer) -> None:
    delivery = polled_once(source_of(json_answer(json_body(json_row())), customer=customer))

    assert not [note for note in delivery.notes if "customer" in note]


def test_a_replay_does_not_store_them_either(
    source_of: Callable[..., Source], customer: Customer, other: Customer
) -> None:
    polled_once(source_of(json_answer(json_body(json_row(customer_id="B"))), customer=customer))

    result = replay.replay(RejectedRow.objects.all(), by="ann")

    assert (result.replayed, result.still_rejected, Reading.objects.count()) == (0, 1, 0)


def test_an_imported_file_of_another_customer_is_rejected(customer: Customer, other: Customer, tmp_path: Path) -> None:
    (tmp_path / "B.csv").write_text(csv_body(csv_row(customer_id="B")))
    output = io.StringIO()

    call_command("import_readings", "A", str(tmp_path / "B.csv"), stdout=output, stderr=io.StringIO())

    assert "1 rejected" in output.getvalue()
    assert Reading.objects.count() == 0
