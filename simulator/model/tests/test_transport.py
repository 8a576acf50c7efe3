from __future__ import annotations

from typing import Any

import pytest

from simulator.model.transport import OUTCOMES, SentRow, TransportError, TransportSettings, decide, disturb


def outcomes(settings: TransportSettings, count: int = 2_000, seed: int = 1) -> list[str]:
    return [decide(settings, seed, "A", number).outcome for number in range(count)]


def disturbed(rows: list[str], **settings: Any) -> list[SentRow]:
    return disturb(rows, decide(TransportSettings(**settings), 1, "A", 1), lambda chance: "garbage")


def test_without_settings_no_request_fails() -> None:
    assert set(outcomes(TransportSettings())) == {"normal"}


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_chance_of_a_quarter_affects_a_quarter_of_the_requests(name: str) -> None:
    drawn = outcomes(TransportSettings(**{name: 0.25}))
    assert set(drawn) == {"normal", name}
    assert 400 < drawn.count(name) < 600


def test_a_fixed_seed_makes_a_run_repeatable() -> None:
    settings = TransportSettings(cut_off=0.3, html=0.3, hang=0.2)
    assert outcomes(settings) == outcomes(settings)
    assert outcomes(settings, seed=1) != outcomes(settings, seed=2)


def test_duplicated_rows_follow_the_row_they_repeat() -> None:
    assert [row.text for row in disturbed(["a", "b"], duplicated_rows=1.0)] == ["a", "a", "b", "b"]


def test_garbage_rows_are_told_from_the_others() -> None:
    sent = disturbed(["a", "b"], garbage_rows=1.0)
    assert [(row.text, row.is_garbage) for row in sent] == [
        ("a", False),
        ("garbage", True),
        ("b", False),
        ("garbage", True),
    ]


def test_shuffled_rows_are_the_same_rows_in_another_order() -> None:
    rows = [str(number) for number in range(50)]
    shuffled = [row.text for row in disturbed(rows, shuffled_rows=1.0)]
    assert shuffled != rows
    assert sorted(shuffled) == sorted(rows)


def test_settings_are_read_from_a_commands_text() -> None:
    settings = TransportSettings.from_text("cut_off=0.1, duplicated_rows=0.3,late_seconds=120")
    assert settings.in_force() == {"cut_off": 0.1, "duplicated_rows": 0.3, "late_seconds": 120.0}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cut_of=0.1", "unknown transport setting"),
        ("cut_off", "not name=number"),
        ("cut_off=often", "not name=number"),
        ("cut_off=1.5", "from 0 to 1"),
        ("cut_off=-1", "from 0 to"),
        ("late_seconds=nan", "from 0 to"),
        ("late_seconds=1e300", "late_seconds must be a number from 0 to 1,000,000,000"),
        ("cut_off=0.6,html=0.6", "add up to more than 1"),
    ],
)
def test_invalid_settings_are_rejected_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(TransportError, match=reason):
        TransportSettings.from_text(text)
