"""After an update, stored excursions follow the definition again without anybody's doing."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection
from django.forms.models import model_to_dict

from alarms.evaluation.reevaluation import run_reevaluations
from alarms.evaluation.tests.test_evaluate import make_unit, rows_of
from alarms.models import Alarm, Excursion, Reevaluation
from alarms.tests.evaluation import at, by_definition, load, stored

pytestmark = pytest.mark.django_db


def update() -> None:
    with connection.cursor() as cursor:
        cursor.execute(import_module("alarms.migrations.0016_evaluate_excursions_again").REQUEST_ALL)


def test_excursions_are_evaluated_again_once_and_reported_alarms_stay() -> None:
    units = [make_unit() for _ in range(2)]
    quiet = make_unit()
    for unit in units:
        load(rows_of(unit, [(0, 0, 5), (5, 0, 9), (30, 0, 9), (40, 0, 5), (50, 0, 9)]), at(50))
    load(rows_of(quiet, [(0, 0, 5)]), at(50))
    expected = [by_definition(unit) for unit in units]
    Excursion.objects.update(outside_seconds=1, gap_seconds=2)
    before = [model_to_dict(alarm) for alarm in Alarm.objects.order_by("pk")]

    update()
    assert set(Reevaluation.objects.values_list("storage_unit", "reason")) == {(unit.pk, "update") for unit in units}
    assert run_reevaluations(at(51)) == 2

    assert [stored(unit) for unit in units] == expected
    assert [model_to_dict(alarm) for alarm in Alarm.objects.order_by("pk")] == before
    assert not Reevaluation.objects.exists()


def test_what_was_to_be_evaluated_again_anyway_is_extended() -> None:
    unit = make_unit()
    load(rows_of(unit, [(0, 0, 9), (30, 0, 9)]), at(30))
    Reevaluation.request(unit.pk, at(20), Reevaluation.Reason.LIMITS)

    update()

    assert Reevaluation.objects.get().since == at(0)
