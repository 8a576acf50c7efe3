"""Each file of a draft has its own mapping, preview and state; what cannot be stored is not offered."""

from __future__ import annotations

import gzip
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import F

from customers.models import Customer
from ingestion.imports import drafts, storing, uploads
from ingestion.imports.mappings import ColumnError, assign_columns
from ingestion.imports.tests.imported import ROWS, UNKNOWN, first_file, map_files, store, undo, uploaded
from ingestion.models import FileImport, ImportFile, SavedMapping
from ingestion.parsing.head import HeadColumn
from readings.models import Reading
from tests.factories import CustomerFactory, FacilityFactory

pytestmark = pytest.mark.django_db

HOBO = '"Plot Title: Fridge 7"\n"#","Date Time, GMT+00:00","Temp, °F (LGR S/N: 1)"\n1,11/20/26 09:00:00 AM,41\n'
JSON = '[{"timestamp": "2026-11-20T10:00:00Z", "temperature": 4.5, "unit_id": "fridge"}]'


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


def states(file_import: FileImport) -> list[tuple[str, str, str]]:
    return [(each.name, each.state, each.error_message[:24]) for each in file_import.files.order_by("pk")]


def let_drafts_age() -> None:
    """Let more time pass than drafts are kept."""
    age = drafts.DRAFTS_KEPT + timedelta(minutes=1)
    FileImport.objects.update(created_at=F("created_at") - age, due_at=F("due_at") - age)


def test_a_draft_stores_nothing(customer: Customer) -> None:
    preview = drafts.preview_file(first_file(uploaded(customer, ROWS)))

    assert preview.stored == 3
    assert (Reading.objects.count(), storing.claim_due()) == (0, [])


def test_files_of_several_formats_are_each_recognised_and_stored(customer: Customer) -> None:
    file_import = uploads.create_import(
        customer,
        [
            SimpleUploadedFile(name, text.encode())
            for name, text in (("a.csv", ROWS), ("b.csv", HOBO), ("c.json", JSON))
        ],
        by="anna",
    )

    files = list(drafts.files_to_preview(file_import))
    assert [drafts.preview_file(file).stored for file in files] == [3, 1, 1]
    assert [file.mapping_origin for file in files] == ["", "Template “Onset HOBO (HOBOware)”", ""]
    store(file_import)
    assert [state for _, state, _ in states(file_import)] == ["stored"] * 3
    assert Reading.objects.filter(storage_unit__unit_code="b").get().scale == "F"


def test_a_mapping_applies_to_the_files_with_the_same_columns_only(customer: Customer) -> None:
    file_import = uploaded(customer, UNKNOWN, ROWS, UNKNOWN)
    first, second, third = drafts.files_to_preview(file_import)
    assert [bool(file.error_message) for file in (first, second, third)] == [True, False, True]

    first.time_field, first.temperature_field, first.time_zone = "when", "what", "Europe/Madrid"
    first.save()
    drafts.apply_mapping(first)

    fields = ImportFile.objects.order_by("pk").values_list("time_field", "time_zone")
    assert list(fields) == [("when", "Europe/Madrid"), ("", "UTC"), ("when", "Europe/Madrid")]
    assert drafts.preview_file(first).problem == ""
    assert [message for _, _, message in states(file_import)] == ["", "", ""]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", UNKNOWN, "Choose the columns of the time and the temperature"),
        ("a.json", '{"when": 1}', "Choose the columns of the time and the temperature, or set the readings path"),
        ("a.csv", "<html><body>Sign in</body></html>", "The file is a web page, not data. Export the readings as CSV"),
        ("a.csv", "time,temp\n", "There is no reading in it"),
        ("a.csv", "time,temp\n2026-11-20 10:00,warm\n", "All its rows would be rejected, 1 of them as “Not a number”"),
    ],
)
def test_a_file_that_cannot_be_stored_says_what_to_choose(customer: Customer, name: str, text: str, says: str) -> None:
    file_import = uploaded(customer, text, name=name)
    assert says in first_file(file_import).error_message

    preview = drafts.preview_file(first_file(file_import))

    assert says in preview.problem
    assert "source" not in preview.problem
    assert drafts.store(file_import) is False
    file_import.refresh_from_db()
    assert (file_import.state, storing.claim_due()) == (FileImport.State.DRAFT, [])


def test_files_that_can_be_stored_are_stored_without_the_others(customer: Customer) -> None:
    file_import = store(uploaded(customer, UNKNOWN, ROWS))

    assert states(file_import) == [
        ("fridge.csv", "failed", "No header line was found"),
        ("1fridge.csv", "stored", ""),
    ]
    assert drafts.correct(file_import) is True
    store(map_files(file_import, time_field="when", temperature_field="what"))
    assert [state for _, state, _ in states(file_import)] == ["stored", "stored"]
    assert Reading.objects.count() == 5


def test_a_file_that_failed_says_why_also_when_the_others_are_undone(customer: Customer) -> None:
    file_import = undo(store(uploaded(customer, UNKNOWN, ROWS)))

    assert states(file_import) == [
        ("fridge.csv", "failed", "No header line was found"),
        ("1fridge.csv", "undone", ""),
    ]


def test_discarding_the_failed_files_keeps_what_was_stored(customer: Customer) -> None:
    file_import = store(uploaded(customer, UNKNOWN, ROWS))
    drafts.correct(file_import)

    assert drafts.discard(file_import) is True

    file_import.refresh_from_db()
    assert (file_import.state, [name for name, *_ in states(file_import)]) == ("stored", ["1fridge.csv"])
    assert drafts.discard(file_import) is False


def test_a_file_is_removed_from_a_draft_and_the_draft_with_its_last_file(customer: Customer) -> None:
    file_import = uploaded(customer, ROWS, UNKNOWN)

    drafts.discard(file_import, first_file(file_import))
    assert [name for name, *_ in states(file_import)] == ["1fridge.csv"]

    drafts.discard(file_import, first_file(file_import))
    assert not FileImport.objects.exists()


def test_old_drafts_are_forgotten_but_never_what_was_stored(customer: Customer) -> None:
    uploaded(customer, ROWS)
    partly = store(uploaded(customer, UNKNOWN, ROWS))
    drafts.correct(partly)
    assert drafts.forget_drafts() == 0
    let_drafts_age()

    assert drafts.forget_drafts() == 2

    assert list(FileImport.objects.values_list("pk", "state")) == [(partly.pk, "stored")]


def test_an_old_import_that_is_corrected_keeps_its_files(customer: Customer) -> None:
    file_import = store(uploaded(customer, UNKNOWN, ROWS))
    let_drafts_age()

    drafts.correct(file_import)

    assert drafts.forget_drafts() == 0
    assert first_file(file_import).name == "fridge.csv"


def test_the_mapping_is_remembered_for_files_with_the_same_header(customer: Customer) -> None:
    drafts.store(map_files(uploaded(customer, UNKNOWN), time_field="when", temperature_field="what", scale="F"))

    again = first_file(uploaded(customer, "When, What\n2026-11-21 10:00,41\n", name="other.csv"))
    of_others = first_file(uploaded(CustomerFactory(), UNKNOWN))

    assert (again.time_field, again.temperature_field, again.scale) == ("when", "what", "F")
    assert (again.mapping_origin, of_others.mapping_origin) == ("Saved mapping “when, what”", "")
    assert SavedMapping.objects.get().customer == customer


def test_a_mapping_that_changes_how_columns_are_split_is_recognised_again(customer: Customer) -> None:
    text = "report of;fridge\nA|B\n2026-11-20 10:00|4.5\n"
    settings = {"delimiter": "|", "skip_until_header": True, "time_field": "A", "temperature_field": "B"}
    file_import = uploaded(customer, text)
    ImportFile.objects.update(**settings)
    drafts.check_files(drafts.files_to_preview(file_import))
    store(file_import)

    again = first_file(uploaded(customer, text))

    assert (again.delimiter, again.time_field, again.error_message) == ("|", "A", "")


def test_a_file_without_titles_is_not_recognised_by_its_number_of_columns(customer: Customer) -> None:
    text = "2026-11-20 10:00;4.5\n2026-11-20 10:10;4.6\n"
    store(map_files(uploaded(customer, text), time_field="#1", temperature_field="#2"))

    assert not SavedMapping.objects.exists()
    assert first_file(uploaded(customer, "2026-11-20 10:00;55\n")).mapping_origin == ""


def test_new_facilities_get_the_zone_of_the_customers_others_or_of_the_file(customer: Customer) -> None:
    store(map_files(uploaded(customer, ROWS), time_zone="Europe/Madrid"))
    store(map_files(uploaded(customer, ROWS, name="other.csv"), time_zone="UTC", facility_field="=north"))

    assert set(customer.facilities.values_list("time_zone", flat=True)) == {"Europe/Madrid"}
    of_others = CustomerFactory()
    FacilityFactory(customer=of_others, time_zone="Asia/Tokyo")
    assert first_file(uploaded(of_others, ROWS)).time_zone == "Asia/Tokyo"


COLUMNS = [
    HeadColumn(name="when"),
    HeadColumn(name="T1", field="temperature"),
    HeadColumn(name="T2"),
    HeadColumn(name="S", field="sensor"),
]


def test_only_columns_that_are_chosen_differently_change_the_mapping() -> None:
    mapping = ImportFile()

    assign_columns(mapping, COLUMNS, {0: "time", 1: "temperature", 2: "", 3: ""})

    assert (mapping.time_field, mapping.temperature_field, mapping.sensor_field) == ("when", "", "=")


def test_two_columns_cannot_be_the_time() -> None:
    with pytest.raises(ColumnError, match="Only one column can be the time: choose one of “when”, “T2”"):
        assign_columns(ImportFile(), COLUMNS, {0: "time", 2: "time"})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"  \n", "is empty"),
        (b"\x1f\x8bdamaged", "is damaged"),
        (gzip.compress(ROWS.encode())[:10] + b"\xff" * 20, "is damaged"),
        (gzip.compress(ROWS.encode())[:-9], "is damaged"),
    ],
    ids=["empty", "header", "content", "end"],
)
def test_an_upload_that_cannot_be_imported_says_why(customer: Customer, content: bytes, says: str) -> None:
    good = SimpleUploadedFile("b.csv", ROWS.encode())
    with pytest.raises(uploads.UploadRefused, match=says):
        uploads.create_import(customer, [good, SimpleUploadedFile("a.csv", content)], by="anna")
    assert not FileImport.objects.exists()
