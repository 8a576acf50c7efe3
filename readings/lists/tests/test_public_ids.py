"""Public ids of readings: one for each key, the same for ever, and back again."""

from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from readings.lists.public_ids import ReadingKey, key_of, reading_ids

FOUR_BYTES = st.integers(0, 2**31 - 1)
TIMES = st.integers(946_684_800_000_000, 2**52)


@given(FOUR_BYTES, FOUR_BYTES, TIMES)
def test_an_id_is_decoded_to_its_key(unit_id: int, sensor_id: int, microseconds: int) -> None:
    [reading_id] = reading_ids([unit_id], [sensor_id], [microseconds])
    assert key_of(UUID(reading_id)) == ReadingKey(unit_id, sensor_id, microseconds)


def test_an_id_never_changes() -> None:
    # Handed out already: these must hold in every version.
    assert reading_ids([1, 1], [1, 2], [1_795_392_000_000_000] * 2) == [
        "5f50c023-30fb-8feb-b82c-c8b720f200f7",
        "43c9e77c-0654-8fc3-85f1-f73bcaa06d4e",
    ]


def test_an_id_is_a_uuid_of_version_8() -> None:
    uuid = UUID(reading_ids([7], [9], [1_795_392_000_000_000])[0])
    assert (uuid.version, uuid.variant) == (8, "specified in RFC 4122")


def test_ids_of_adjacent_readings_differ() -> None:
    ids = reading_ids([1] * 1000, [1] * 1000, range(1_795_392_000_000_000, 1_795_392_000_001_000))
    assert len({reading_id[:8] for reading_id in ids}) == 1000


def test_a_foreign_id_is_not_a_reading() -> None:
    assert key_of(uuid4()) is None
