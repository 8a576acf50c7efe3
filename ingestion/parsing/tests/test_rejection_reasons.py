"""Every reason has a sentence, and the sentences show what was sent without repeating all of it."""

import dataclasses
import string
from pathlib import Path

import pytest
from django.conf import settings

from ingestion.parsing.field_names import DEFAULT_NAMES
from ingestion.parsing.rejection_reasons import SENTENCES, Reason, quoted, sentence
from ingestion.sources.mapping import FieldMapping


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_that_says_what_to_do(reason):
    positions = {name for _, name, _, _ in string.Formatter().parse(SENTENCES[reason]) if name}
    text = sentence(reason, **dict.fromkeys(positions, "x"))
    assert text[0].isupper()
    assert text.endswith(".")
    assert "; " in text or ": " in text


def test_a_long_value_is_shortened_and_control_characters_are_not_passed_on():
    assert quoted("x" * 1000) == '"' + "x" * 80 + '…"'
    assert quoted("a\x1b[31m\n") == '"a�[31m�"'
    assert quoted("\ud800") == '"�"'
    assert quoted(5) == '"5"'


def test_the_documentation_explains_every_reason_setting_and_usual_name():
    text = (Path(settings.BASE_DIR) / "docs" / "sources.md").read_text()
    settings_of_mapping = [field.name for field in dataclasses.fields(FieldMapping)]
    usual_names = [name for names in DEFAULT_NAMES.values() for name in names]
    missing = [name for name in [*Reason, *settings_of_mapping, *usual_names] if f"`{name}`" not in text]
    assert missing == []
