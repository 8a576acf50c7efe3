"""The rules for the values of a row, as the mapping, the header and the whole body determine them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from ingestion.parsing.body.decoded import DEFAULT_MAX_BYTES
from ingestion.parsing.fields.titles import Quantity, meaning_of
from ingestion.parsing.fields.zones import GivenZone
from ingestion.parsing.notes import Notes
from ingestion.parsing.rejection_reasons import Reason, message_for, quoted
from ingestion.parsing.reset_clocks import ResetClocks
from ingestion.parsing.values.numbers import as_number
from ingestion.parsing.values.timestamps import DayOrder, TimeRules, microseconds
from ingestion.sources.mapping import TIME_OF_RESPONSE, FieldMapping
from readings.units.scales import Scale

DEFAULT_BATCH_ROWS = 50_000
DEFAULT_BLOCK_BYTES = 2 << 20
OTHER_QUANTITY = ("row of another quantity was passed over", "rows of other quantities were passed over")

# Whether a name is another customer's code; None if it is nobody's.
CustomerTest: TypeAlias = Callable[[str], bool | None]


class RowRejected(Exception):  # noqa: N818  (as UnreadableBody)
    """A row is not a valid reading. `values` fill in the message of the reason."""

    def __init__(self, reason: Reason, **values: object) -> None:
        super().__init__(message_for(reason, **values))
        self.reason = reason


class RowSkipped(Exception):  # noqa: N818  (as RowRejected)
    """A row that is no reading of a temperature and is passed over, as counted in the notes."""

    def __init__(self, singular: str, plural: str, example: object) -> None:
        super().__init__(plural)
        self.note = (singular, plural, example)


@dataclass(frozen=True, kw_only=True)
class RowRules:
    """How to interpret the values of a row.

    `default_unit` and `default_scale` ("" for none) apply if the row has no such field. `received_us` is the time of
    rows without a time field in microseconds since 1970, None if such rows are rejected. `is_other_customer`: whether
    the customer that a row names is another than the one whose data is parsed; None accepts every name. `title_scale`
    is the scale in the temperature's title or key: a note says if a row names another one.
    """

    default_unit: str = ""
    default_scale: str = ""
    title_scale: str = ""
    null_values: frozenset[str] = frozenset()
    decimal_marks: str = "."  # ".", "," or ".," for both
    times: TimeRules = field(default_factory=TimeRules)
    received_us: int | None = None
    is_other_customer: CustomerTest | None = None
    factor: float = 1.0
    offset: float = 0.0
    error_numbers: frozenset[float] = frozenset()
    skips_without_temperature: bool = False
    notes: Notes = field(default_factory=Notes, compare=False)

    @cached_property
    def null_numbers(self) -> frozenset[float]:
        """The null values that are numbers: "-127" also means -127.00."""
        return frozenset(number for text in self.null_values if (number := as_number(text)) is not None)


def with_scale(rules: RowRules, scale: Scale | None, mapping: FieldMapping) -> RowRules:
    """Return the rules for rows with a scale in a title, key or quantity; a scale that is set precedes it."""
    if scale is None or mapping.scale:
        return rules
    rules.notes.assumes_celsius = False
    return replace(rules, default_scale=scale.value, title_scale=scale.value)


def rules_of_quantity(quantity: str, rules: RowRules, mapping: FieldMapping) -> RowRules:
    """Return the rules for rows of this quantity. Raise RowSkipped or RowRejected if it is no temperature."""
    meaning = meaning_of(quantity)
    if meaning.is_temperature:
        if mapping.scale and meaning.scale not in (None, mapping.scale):
            rules.notes.tell(f"The scale setting {mapping.scale} was used, but {quoted(quantity)} says otherwise.")
        return with_scale(rules, meaning.scale, mapping)
    if meaning.quantity is not Quantity.UNKNOWN:
        raise RowSkipped(*OTHER_QUANTITY, quantity)
    if not mapping.row_filter:
        raise RowRejected(Reason.UNKNOWN_QUANTITY, value=quantity)
    return rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseOptions:
    """How to parse one body.

    `default_unit` is the unit of rows in a body without a unit field. `batch_rows` bounds the batches, `max_bytes` the
    decompressed body and `max_rows` its rows (None: any number); CSV is read in blocks of `block_bytes`.
    `is_json_lines`: the body is a sequence of JSON rows. `first_row` (the number of the first row), `day_order`,
    `scale`, `zone`, `decimal_marks`, `shown` and `measured` (see RowContext) are given for a replayed row, else found
    in the body.
    `file_unit` is the unit of a JSON file in which no row names one. `is_unit_named`: a person chose `default_unit`, so
    that a column of devices tells sensors apart. `clocks` compares the times of several batches.
    """

    mapping: FieldMapping
    received_at: datetime
    default_unit: str = ""
    batch_rows: int = DEFAULT_BATCH_ROWS
    max_bytes: int = DEFAULT_MAX_BYTES
    max_rows: int | None = None
    block_bytes: int = DEFAULT_BLOCK_BYTES
    is_json_lines: bool = False
    first_row: int | None = None
    day_order: DayOrder | None = None
    is_other_customer: CustomerTest | None = None
    is_unit_named: bool = False
    file_unit: str = ""
    scale: Scale | None = None
    clocks: ResetClocks | None = None
    zone: GivenZone | None = None
    decimal_marks: str = ""
    shown: Mapping[str, str] = field(default_factory=dict)
    measured: str = ""
    notes: Notes = field(default_factory=Notes, compare=False)

    def row_rules(
        self,
        day_order: DayOrder,
        *,
        has_unit: bool = False,
        title_scale: str = "",
        decimal_marks: str = ".",
        is_time_optional: bool = False,
        given_zone: GivenZone | None = None,
    ) -> RowRules:
        """Return the rules for the rows of a body with these properties.

        `has_unit`: the rows have a unit field. `decimal_marks` apply unless the mapping sets one. `is_time_optional`:
        rows without a time field were measured when the body was received. `given_zone` is that of the body's times.
        """
        is_unclear = given_zone is not None and given_zone.zone is None and self.mapping.time_zone == "UTC"
        unclear_zone = given_zone.name if given_zone and is_unclear else ""
        time_field = self.mapping.time_field
        is_timed_on_receipt = time_field == TIME_OF_RESPONSE or (is_time_optional and not time_field)
        return RowRules(
            default_unit="" if has_unit else self.default_unit,
            default_scale=self.mapping.scale or title_scale,
            title_scale=title_scale,
            null_values=frozenset(text.strip() for text in self.mapping.null_values),
            decimal_marks=self.mapping.decimal_mark or decimal_marks,
            times=TimeRules(self.mapping.time_format, day_order, unclear_zone),
            received_us=microseconds(self.received_at) if is_timed_on_receipt else None,
            is_other_customer=self.is_other_customer,
            factor=self.mapping.factor,
            offset=self.mapping.offset,
            error_numbers=frozenset(float(text.replace(",", ".")) for text in self.mapping.error_values),
            skips_without_temperature=self.mapping.skips_without_temperature,
            notes=self.notes,
        )
