"""Entries as people read them."""

from __future__ import annotations

import pytest

from audit.models import AuditEntry
from customers.trail.presenters import Change, EntryPresenter, Value, column_label, model_label, value_text


def entry(**fields: object) -> EntryPresenter:
    """Return an entry that is not stored."""
    return EntryPresenter(AuditEntry(**{"actor_kind": "person", "actor_name": "anna", "origin": "page", **fields}))


def test_changed_columns_are_named_as_on_forms() -> None:
    presenter = entry(
        model="customers.storageunit",
        before={"temperature_unit": "C", "name": ""},
        after={"temperature_unit": "F", "name": "Freezer"},
    )

    assert presenter.changes == [
        Change("name", (Value("–"), Value("Freezer"))),
        Change("scale", (Value("C"), Value("F"))),
    ]


@pytest.mark.parametrize("text", ["now", "infinity", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"])
def test_what_is_no_local_time_is_shown_as_it_was_recorded(text: str) -> None:
    """Exports record the parameters of their query, which may have any name."""
    presenter = entry(model="audit.auditentry", after={"happened_at": text, "format": "csv"})

    assert Change("happened at", (Value(text),)) in presenter.changes


def test_values_that_a_created_row_lacks_are_left_out() -> None:
    presenter = entry(model="customers.storageunit", after={"name": "Freezer", "size_value": None})

    assert presenter.changes == [Change("name", (Value("Freezer"),))]


def test_models_and_columns_that_no_longer_exist_keep_their_recorded_names() -> None:
    assert model_label("customers.warehouse") == "warehouse"
    assert column_label("customers.warehouse", "floor_area") == "floor area"
    assert model_label("settings") == "settings"


def test_columns_without_a_verbose_name_end_with_their_unit() -> None:
    assert column_label("customers.storageunit", "high_critical_c") == "high critical, °C"


def test_an_entry_names_what_was_done_to_which_kind_of_object() -> None:
    assert entry(action="changed", model="customers.storageunit").title == "Changed: storage unit"
    assert entry(action="signed_in").title == "Signed in"


@pytest.mark.parametrize(
    ("fields", "who", "exactly"),
    [
        ({"actor_display_name": "Anna Smith"}, "Anna Smith", "person anna"),
        ({}, "anna", "person"),
        ({"actor_kind": "anonymous", "actor_name": ""}, "Not signed in", "not signed in"),
        ({"actor_kind": "database", "actor_name": "postgres"}, "postgres", "database user"),
        ({"actor_kind": "process", "actor_name": "ingestion.tasks.poll_source"}, "System", "poll source"),
        ({"actor_kind": "process", "actor_name": "manage.py archive_readings"}, "System", "archive readings"),
        ({"actor_kind": "token", "actor_name": "token 7", "actor_display_name": "Logger"}, "Logger", "token token 7"),
    ],
)
def test_the_actor_is_shown_by_name_and_by_what_identifies_it(
    fields: dict[str, object], who: str, exactly: str
) -> None:
    presenter = entry(**fields)

    assert (presenter.who, presenter.who_exactly) == (who, exactly)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        ([], "–"),
        (True, "yes"),
        (0, "0"),
        (-74.2, "−74.2"),
        ("-1", "-1"),
        (["a", "b"], "a, b"),
        ("x" * 300, "x" * 200 + "…"),
    ],
)
def test_values_are_shown_as_text(value: object, text: str) -> None:
    assert value_text(value) == text
