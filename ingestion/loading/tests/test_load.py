"""Every delivery is loaded in one transaction: counted, stored, rejected rows saved, and logged, or nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError
from pytest_django import DjangoAssertNumQueries

from customers.models import Facility, Sensor, StorageUnit
from ingestion.loading.load import LoadRequest, load, log_failure
from ingestion.models import Conflict, Delivery, IngestionType, RejectedRow, Source
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import ParsedBatch, RejectedReading, UnitDescription, UnreadableBody
from ingestion.parsing.tests.parsed_batches import NOON, batch_of, reading
from readings.models import EquipmentStatus, HourlyRollup, LatestReading, Reading, RollupRebuild
from tests.factories import CustomerFactory, FacilityFactory, SensorFactory, SourceFactory, StorageUnitFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storing]


@pytest.fixture
def source() -> Source:
    return SourceFactory()


def loaded(source: Source, *batches: ParsedBatch, **kwargs: Any) -> Delivery:
    load_request = LoadRequest(customer=source.customer, source=source, ingestion_type=IngestionType.API)
    return load(load_request, batches, **kwargs).delivery


def counts(delivery: Delivery) -> tuple[int, int, int, int, int]:
    return (
        delivery.records_processed,
        delivery.records_stored,
        delivery.records_duplicate,
        delivery.records_conflicting,
        delivery.records_rejected,
    )


def test_a_delivery_is_stored_and_logged_with_its_counts(source: Source) -> None:
    delivery = loaded(source, batch_of(reading(0), reading(1)), batch_of(reading(2)))

    assert counts(delivery) == (3, 3, 0, 0, 0)
    assert (delivery.status, delivery.error_message) == ("success", "")
    assert Delivery.objects.get() == delivery
    assert Reading.objects.count() == 3


def test_the_same_delivery_again_stores_nothing_and_says_so(source: Source) -> None:
    loaded(source, batch_of(reading(0), reading(1)))
    delivery = loaded(source, batch_of(reading(0), reading(1)))
    assert counts(delivery) == (2, 0, 2, 0, 0)
    assert delivery.status == "success"


def test_an_empty_delivery_is_a_success(source: Source) -> None:
    assert counts(loaded(source, batch_of())) == (0, 0, 0, 0, 0)


def test_every_row_is_counted_once(source: Source) -> None:
    loaded(source, batch_of(reading(0), reading(1)))
    rejected = [RejectedReading(7, Reason.NO_TIME, "no time", "raw")]
    delivery = loaded(source, batch_of(reading(0), reading(1, 6.0), reading(2), rejected=rejected))
    assert counts(delivery) == (4, 1, 1, 1, 1)
    assert delivery.status == "partial"
    assert "1 × No time" in delivery.error_message


def test_unseen_facilities_units_and_sensors_are_registered(source: Source) -> None:
    described = UnitDescription(
        facility_code="facility_1",
        unit_code="unit_1",
        unit_name="Deep Freeze 1",
        city="Oxford",
        country="England",
        set_temperature=-20.0,
        temperature_unit="F",
        size_value=328.0,
        size_unit="sqm",
        interval_seconds=229,
    )
    source.facility_time_zone = "Europe/London"
    loaded(source, batch_of(reading(), units={("facility_1", "unit_1"): described}))

    facility = Facility.objects.get()
    assert (facility.customer, facility.facility_code, facility.city) == (source.customer, "facility_1", "Oxford")
    assert facility.time_zone == "Europe/London"
    unit = facility.units.get()
    assert (unit.name, unit.set_temperature, unit.temperature_unit) == ("Deep Freeze 1", -20.0, "F")
    assert (unit.size_value, unit.size_unit, unit.interval_seconds) == (328.0, "sqm", 229)
    assert unit.sensors.get().sensor_code == "sensor_1"


def test_a_new_unit_has_the_scale_of_its_readings(source: Source) -> None:
    described = UnitDescription(facility_code="facility_1", unit_code="unit_1", temperature_unit="F")
    loaded(source, batch_of(reading(scale="F"), units={("facility_1", "unit_1"): described}))

    assert StorageUnit.objects.get().temperature_unit == "F"


def test_entered_values_are_not_overwritten_and_missing_ones_are_filled_in(source: Source) -> None:
    facility = FacilityFactory(customer=source.customer, facility_code="facility_1", city="")
    StorageUnitFactory(facility=facility, unit_code="unit_1", name="Our name", set_temperature=None)
    described = UnitDescription(
        facility_code="facility_1", unit_code="unit_1", unit_name="Theirs", city="Leeds", set_temperature=4.0
    )
    loaded(source, batch_of(reading(), units={("facility_1", "unit_1"): described}))

    unit = StorageUnit.objects.select_related("facility").get()
    assert (unit.name, unit.set_temperature, unit.facility.city) == ("Our name", 4.0, "Leeds")


def test_a_later_reported_interval_rebuilds_the_roll_ups(source: Source) -> None:
    loaded(source, batch_of(reading(0)))
    described = UnitDescription(facility_code="facility_1", unit_code="unit_1", interval_seconds=60)
    loaded(source, batch_of(reading(1), units={("facility_1", "unit_1"): described}))
    assert RollupRebuild.objects.get().storage_unit.interval_seconds == 60


def test_without_registration_rows_of_unknown_units_are_rejected(source: Source) -> None:
    source.registers_units = False
    known = StorageUnitFactory(
        facility=FacilityFactory(customer=source.customer, facility_code="facility_1"), unit_code="unit_1"
    )
    SensorFactory(storage_unit=known, sensor_code="sensor_1")
    delivery = loaded(
        source,
        batch_of(
            reading(),
            reading(unit="unit_2"),
            reading(facility="facility_2"),
            reading(sensor_code="sensor_2"),
        ),
    )
    assert counts(delivery) == (4, 1, 0, 0, 3)
    rejected = RejectedRow.objects.order_by("row_number")
    assert [(row.row_number, row.reason, row.raw) for row in rejected] == [
        (2, "unknown_unit", "raw row 2"),
        (3, "unknown_facility", "raw row 3"),
        (4, "unknown_sensor", "raw row 4"),
    ]
    assert '"unit_2"' in rejected[0].message
    assert (StorageUnit.objects.count(), Sensor.objects.count()) == (1, 1)


def test_a_row_of_several_temperatures_of_an_unknown_unit_is_rejected_once(source: Source) -> None:
    source.registers_units = False
    delivery = loaded(source, batch_of(reading(sensor_code="a"), reading(sensor_code="b", row_number=1)))
    assert delivery.records_rejected == 1
    assert RejectedRow.objects.get().seen_count == 1


def test_a_unit_without_a_facility_is_found_by_its_code(source: Source) -> None:
    unit = StorageUnitFactory(facility__customer=source.customer, unit_code="unit_1")
    loaded(source, batch_of(reading(facility=None)))
    assert Reading.objects.get().storage_unit == unit


def test_a_unit_without_a_facility_stays_the_one_that_its_source_delivered(source: Source) -> None:
    """Another source registers a unit with the same code elsewhere."""
    loaded(source, batch_of(reading(facility=None)))
    unit = Reading.objects.get().storage_unit
    loaded(SourceFactory(customer=source.customer), batch_of(reading(facility="facility_2")))

    assert counts(loaded(source, batch_of(reading(15, facility=None)))) == (1, 1, 0, 0, 0)
    assert Reading.objects.filter(storage_unit=unit).count() == 2


def test_a_unit_without_a_facility_that_may_be_one_of_several_is_rejected_and_not_registered(source: Source) -> None:
    for code in ("facility_1", "facility_2"):
        facility = FacilityFactory(customer=source.customer, facility_code=code)
        StorageUnitFactory(facility=facility, unit_code="unit_1")

    loaded(source, batch_of(reading(facility=None)))

    rejected = RejectedRow.objects.get()
    assert (rejected.reason, StorageUnit.objects.count()) == ("unknown_facility", 2)
    assert '"unit_1" is registered in several facilities' in rejected.message


def test_the_default_facility_that_is_not_registered_is_named(source: Source) -> None:
    source.registers_units, source.default_facility_code = False, "depot"
    loaded(source, batch_of(reading(facility=None)))
    assert RejectedRow.objects.get().message.startswith('Facility "depot" is not registered.')


def test_a_unit_without_a_facility_is_registered_in_the_sources_default(source: Source) -> None:
    source.default_facility_code = "depot"
    loaded(source, batch_of(reading(facility=None)))
    assert Facility.objects.get().facility_code == "depot"


def test_the_same_unit_code_of_another_customer_is_another_unit(source: Source) -> None:
    stranger = StorageUnitFactory(
        facility=FacilityFactory(customer=CustomerFactory(), facility_code="facility_1"), unit_code="unit_1"
    )
    loaded(source, batch_of(reading(), reading(facility=None)))
    assert not Reading.objects.filter(storage_unit=stranger).exists()


def test_a_repeated_rejected_row_is_counted_and_not_saved_again(source: Source) -> None:
    rejected = [RejectedReading(1, Reason.NO_TIME, "no time", "a"), RejectedReading(2, Reason.NO_TIME, "no time", "a")]
    loaded(source, batch_of(rejected=rejected))
    loaded(source, batch_of(rejected=rejected[:1]))
    assert RejectedRow.objects.get().seen_count == 3


def test_a_rejected_row_with_nul_bytes_and_lone_surrogates_is_saved(source: Source) -> None:
    loaded(source, batch_of(rejected=[RejectedReading(1, Reason.NOT_TEXT, "bad", "unit\x00\ud800,5")]))
    assert RejectedRow.objects.get().raw == "unit\\x00\\ud800,5"


def test_a_conflict_is_saved_once_with_both_temperatures(source: Source) -> None:
    loaded(source, batch_of(reading(temperature_c=5.0)))
    for _ in range(2):
        loaded(source, batch_of(reading(temperature_c=9.0, scale="F", quality_score=0.5)))
    conflict = Conflict.objects.get()
    assert (conflict.temperature_c, conflict.stored_temperature_c, conflict.seen_count) == (9.0, 5.0, 2)
    assert (conflict.scale, conflict.quality_score, conflict.recorded_at) == ("F", 0.5, NOON)
    assert Reading.objects.get().temperature_c == 5.0


def test_a_null_that_contradicts_a_measurement_is_a_conflict(source: Source) -> None:
    loaded(source, batch_of(reading(temperature_c=5.0)))
    for _ in range(2):
        loaded(source, batch_of(reading(temperature_c=None)))
    assert (Conflict.objects.get().temperature_c, Conflict.objects.get().seen_count) == (None, 2)


def test_unseen_statuses_are_added(source: Source) -> None:
    loaded(source, batch_of(reading(equipment_status="defrosting"), reading(1, equipment_status="warning")))
    names = Reading.objects.order_by("recorded_at").values_list("equipment_status__name", flat=True)
    assert list(names) == ["defrosting", "warning"]
    assert HourlyRollup.objects.get(hour=NOON).warning_count == 1


def test_too_many_statuses_are_rejected(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readings.equipment_statuses.MAX_STATUSES", 4)
    delivery = loaded(
        source, batch_of(reading(0, equipment_status="one"), reading(1, equipment_status="two"), reading(2))
    )
    assert counts(delivery) == (3, 2, 0, 0, 1)
    assert RejectedRow.objects.get().reason == "too_many_statuses"
    assert EquipmentStatus.objects.count() == 4


def test_a_cut_off_delivery_is_partial(source: Source) -> None:
    delivery = loaded(source, batch_of(reading(), is_cut_off=True))
    assert (delivery.status, delivery.records_stored) == ("partial", 1)
    assert "cut off" in delivery.error_message


def test_a_body_that_becomes_unreadable_rolls_the_delivery_back(source: Source) -> None:
    def batches() -> Iterator[ParsedBatch]:
        yield batch_of(reading())
        raise UnreadableBody(Reason.UNDECODABLE, "not text")

    with pytest.raises(UnreadableBody):
        load(LoadRequest(customer=source.customer, ingestion_type=IngestionType.API), batches())
    assert not Reading.objects.exists()
    assert not LatestReading.objects.exists()
    assert not Delivery.objects.exists()


def test_a_failure_is_logged_with_its_reason(source: Source) -> None:
    load_request = LoadRequest(customer=source.customer, source=source, ingestion_type=IngestionType.API)
    delivery = log_failure(load_request, "timeout", "It took too long.")
    assert Delivery.objects.get() == delivery
    assert (delivery.status, delivery.error_reason, delivery.error_message) == (
        "failure",
        "timeout",
        "It took too long.",
    )


def test_the_database_rejects_a_delivery_with_wrong_counts(source: Source) -> None:
    with pytest.raises(IntegrityError, match="delivery_counts_every_row_once"):
        Delivery.objects.create(
            customer=source.customer,
            ingestion_type="api",
            status="success",
            started_at=NOON,
            ended_at=NOON,
            records_processed=2,
            records_stored=1,
        )


def test_the_number_of_queries_does_not_depend_on_the_number_of_units(
    source: Source, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    few = [reading(unit=f"unit_{n}") for n in range(2)]
    many = [reading(unit=f"unit_{n}") for n in range(50)]
    loaded(source, batch_of(*many))
    for rows in (few, many):
        with django_assert_max_num_queries(20):
            loaded(source, batch_of(*[row | {"recorded_at": NOON.replace(second=len(rows) // 2)} for row in rows]))
