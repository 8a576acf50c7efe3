"""Every reason has a sentence, and the sentences show what was sent without repeating all of it."""

import string

import pytest

from ingestion.reasons import SENTENCES, Reason, quoted, sentence


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_that_says_what_to_do(reason):
    places = {name for _, name, _, _ in string.Formatter().parse(SENTENCES[reason]) if name}
    text = sentence(reason, **dict.fromkeys(places, "x"))
    assert text[0].isupper()
    assert text.endswith(".")
    assert "; " in text or ": " in text


def test_a_long_value_is_shortened_and_control_characters_are_not_passed_on():
    assert quoted("x" * 1000) == '"' + "x" * 80 + '…"'
    assert quoted("a\x1b[31m\n") == '"a�[31m�"'
    assert quoted("\ud800") == '"�"'
    assert quoted(5) == '"5"'
