"""The import pages: who may import and undo, and what the pages show."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from customers.models import Customer
from ingestion.imports import storing, undoing
from ingestion.models import FileImport, ImportFile
from readings.models import Reading
from tests.factories import CustomerFactory, ImportFileFactory, MembershipFactory

pytestmark = pytest.mark.django_db
TEXT = "when;what\n23.11.2025 10:00;4,5\n23.11.2025 10:10;warm\n"


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


def signed_in(customer: Customer, role: str) -> Client:
    client = Client()
    client.force_login(MembershipFactory(customer=customer, role=role).user)
    return client


def upload(client: Client, customer: Customer, text: str = TEXT) -> str:
    files = [SimpleUploadedFile("fridge 1.csv", text.encode())]
    answer = client.post(reverse("imports"), {"customer": customer.customer_code, "files": files})
    assert answer.status_code == 302
    return answer["Location"]


def run_import() -> None:
    for claim in storing.claim_due():
        undoing.run_claimed(claim)


def test_a_file_is_uploaded_mapped_stored_and_undone(customer: Customer) -> None:
    client = signed_in(customer, "manager")
    page = upload(client, customer)
    assert "No header" in client.get(page).content.decode()

    mapping = {
        "column-0": "time",
        "column-1": "temperature",
        "time_zone": "Europe/Madrid",
        "factor": "1",
        "offset": "0",
        "unit_code": "fridge 9",
    }
    client.post(page, mapping)
    shown = client.get(page).content.decode()
    assert "<strong>1</strong> would be stored" in shown
    assert "4.5\N{NO-BREAK SPACE}°C" in shown
    assert Reading.objects.count() == 0

    client.post(page, mapping | {"action": "store"})
    assert "Storing" in client.get(page).content.decode()
    run_import()
    [reading] = Reading.objects.select_related("storage_unit__facility")
    assert (reading.storage_unit.unit_code, reading.recorded_at.hour) == ("fridge 9", 9)
    assert reading.storage_unit.facility.time_zone == "Europe/Madrid"

    shown = client.get(page).content.decode()
    assert "Rejected: Not a number" in shown
    assert "23.11.2025 10:10;warm" in shown

    client.post(f"{page}/undo", {"reason": "The wrong file."})
    run_import()
    assert Reading.objects.count() == 0
    assert "The wrong file." in client.get(page).content.decode()


def test_an_operator_imports_but_may_not_undo(customer: Customer) -> None:
    client = signed_in(customer, "operator")
    page = upload(client, customer, "time,temp\n2025-11-23 10:00,4.5\n")
    client.post(page, {"time_zone": "UTC", "factor": "1", "offset": "0", "action": "store"})
    run_import()

    assert client.post(f"{page}/undo", {"reason": "A test."}).status_code == 403
    assert FileImport.objects.get().state == FileImport.State.STORED


def test_files_of_several_formats_are_shown_each_with_its_own_state(customer: Customer) -> None:
    client = signed_in(customer, "operator")
    known = SimpleUploadedFile("known.csv", b"time,temp\n2025-11-23 10:00,4.5\n")
    files = [SimpleUploadedFile("unknown.csv", TEXT.encode()), known]
    page = client.post(reverse("imports"), {"customer": customer.customer_code, "files": files})["Location"]
    first, second = ImportFile.objects.order_by("pk")

    shown = client.get(page).content.decode()
    assert ("Store 1 of 2 files" in shown, "Choose the columns of the time" in shown) == (True, True)
    assert "source" not in shown[shown.index('id="draft"') :]
    assert "<strong>1</strong> would be stored" in client.get(f"{page}?file={second.public_id}").content.decode()

    client.post(f"{page}/change", {"action": "remove", "file": str(second.public_id)})
    shown = client.get(page).content.decode()
    assert ("Nothing can be stored yet" in shown, 'value="store"' in shown) == (True, False)
    client.post(page, {"time_zone": "UTC", "factor": "1", "offset": "0", "action": "store"})
    assert FileImport.objects.get().state == FileImport.State.DRAFT

    client.post(f"{page}/change", {"action": "remove", "file": str(first.public_id)})
    assert not FileImport.objects.exists()


def test_an_import_of_which_a_part_failed_says_so(customer: Customer) -> None:
    client = signed_in(customer, "operator")
    page = upload(client, customer, "time,temp\n2025-11-23 10:00,4.5\n")
    ImportFileFactory(file_import=FileImport.objects.get(), error_message="No header line was found.")
    client.post(page, {"time_zone": "UTC", "factor": "1", "offset": "0", "action": "store"})
    run_import()

    assert "Partly stored" in client.get(page).content.decode()
    assert "Partly stored" in client.get(reverse("imports")).content.decode()


SETTINGS = {"time_zone": "UTC", "factor": "1", "offset": "0"}


def test_a_change_waits_for_others_of_the_same_draft(customer: Customer) -> None:
    client = signed_in(customer, "operator")
    page = upload(client, customer)

    with CaptureQueriesContext(connection) as queries:
        client.post(page, SETTINGS)

    statements = [each["sql"] for each in queries]
    lock = next(place for place, text in enumerate(statements) if text.endswith("FOR NO KEY UPDATE"))
    assert 'FROM "file_import"' in statements[lock]
    assert not any("import_file" in text for text in statements[:lock])


def test_an_import_that_is_stored_meanwhile_is_not_changed(customer: Customer) -> None:
    client = signed_in(customer, "operator")
    page = upload(client, customer, "time,temp\n2025-11-23 10:00,4.5\n")
    client.post(page, SETTINGS | {"action": "store"})

    answer = client.post(page, SETTINGS | {"time_zone": "Asia/Tokyo", "action": "store"}, follow=True)

    assert "No change: it is stored already, or being stored." in answer.content.decode()
    assert ImportFile.objects.get().time_zone == "UTC"


@pytest.mark.parametrize(("page", "sent"), [("", {"unit_code": "fridge 9"}), ("/change", {"action": "remove"})])
def test_what_is_sent_for_a_file_that_was_removed_changes_no_other(
    customer: Customer, page: str, sent: dict[str, str]
) -> None:
    client = signed_in(customer, "operator")
    path = upload(client, customer)
    first = ImportFile.objects.get()
    removed = ImportFileFactory(file_import=first.file_import)
    ImportFile.objects.filter(pk=removed.pk).delete()

    client.post(f"{path}{page}", SETTINGS | sent | {"file": str(removed.public_id)})

    assert ImportFile.objects.get().unit_code == ""


def test_a_viewer_may_not_import(customer: Customer) -> None:
    client = signed_in(customer, "viewer")

    assert client.get(reverse("imports")).status_code == 403


def test_imports_of_other_customers_are_not_found(customer: Customer) -> None:
    page = upload(signed_in(customer, "operator"), customer)
    other = signed_in(CustomerFactory(), "manager")

    assert [other.get(page).status_code, other.post(page).status_code] == [404, 404]
    files = [SimpleUploadedFile("a.csv", TEXT.encode())]
    assert other.post(reverse("imports"), {"customer": customer.customer_code, "files": files}).status_code == 400
    assert FileImport.objects.count() == 1


def test_a_mapping_that_contradicts_itself_is_explained(customer: Customer) -> None:
    client = signed_in(customer, "operator")
    page = upload(client, customer)

    answer = client.post(
        page, {"column-0": "time", "column-1": "time", "time_zone": "UTC", "factor": "1", "offset": "0"}
    )

    assert "Only one column can be the time" in answer.content.decode()
    assert ImportFile.objects.get().time_field == ""


def test_nothing_is_uploaded_without_a_file(customer: Customer) -> None:
    answer = signed_in(customer, "operator").post(reverse("imports"), {"customer": customer.customer_code})

    assert (answer.status_code, FileImport.objects.count()) == (400, 0)
    assert "Choose at least one file." in answer.content.decode()
