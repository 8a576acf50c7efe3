"""Every reason has a label and a message, which quotes the rejected value without repeating all of it."""

from __future__ import annotations

import dataclasses
import string
from pathlib import Path

import pytest
from django.conf import settings

from ingestion.parsing.fields.names import DEFAULT_NAMES
from ingestion.parsing.rejection_reasons import MESSAGES, Reason, message_for, quoted
from ingestion.sources.mapping import FieldMapping


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_label_and_a_message_that_says_what_to_do(reason: Reason) -> None:
    names = {name for _, name, _, _ in string.Formatter().parse(MESSAGES[reason]) if name}
    text = message_for(reason, **dict.fromkeys(names, "x"))
    assert text[0].isupper()
    assert text.endswith(".")
    assert ". " in text
    assert reason.label[0].isupper()
    assert not reason.label.endswith(".")


def test_quoted_values_are_shortened_and_stripped_of_control_characters() -> None:
    assert quoted("x" * 1000) == '"' + "x" * 80 + '…"'
    assert quoted("a\x1b[31m\n") == '"a�[31m�"'
    assert quoted("\ud800") == '"�"'
    assert quoted(5) == '"5"'


def test_the_documentation_explains_every_reason_setting_and_default_name() -> None:
    text = (Path(settings.BASE_DIR) / "docs" / "sources.md").read_text()
    settings_of_mapping = [field.name for field in dataclasses.fields(FieldMapping)]
    default_names = [name for names in DEFAULT_NAMES.values() for name in names]
    missing = [name for name in [*Reason, *settings_of_mapping, *default_names] if f"`{name}`" not in text]
    assert missing == []
