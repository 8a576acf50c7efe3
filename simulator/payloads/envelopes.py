"""The responses of customers' systems: the bodies of the shapes seen so far."""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import numpy as np

from simulator.base.instants import moment_of, naive_text
from simulator.model.series import UnitSeries
from simulator.model.simulation import Piece, SimulatedCustomer, Window
from simulator.payloads.bodies import Body
from simulator.payloads.rows import RowFormat, csv_format, json_format

Windows = Callable[[], Iterable[list[Piece]]]


def current_body(served: SimulatedCustomer, window: Window) -> Body:
    """Return shape 1: the readings of a window in the customer's envelope, oldest first."""
    row_count, pieces = _counted(served, window)
    envelope = {**_envelope(served, window), "reading_count": row_count}
    form = json_format(served.customer)
    return _json_body(served, envelope, lambda: _texts(served, form, pieces()), row_count)


def current_page(served: SimulatedCustomer, window: Window, number: int, next_url: str) -> Body:
    """Return a page of shape 1, counted from 1. The URL of the next one is in the envelope, without one in a header."""
    size, form = served.customer.page_rows, json_format(served.customer)
    row_count, pieces = _counted(served, window)
    texts = list(islice(chain.from_iterable(_texts(served, form, pieces())), (number - 1) * size, number * size))
    is_last, is_bare = number * size >= row_count, served.customer.envelope == "bare"
    envelope = {
        **_envelope(served, window),
        "reading_count": len(texts),
        "total_count": row_count,
        "next": None if is_last else next_url,
    }
    headers = {"Link": f'<{next_url}>; rel="next"'} if is_bare and not is_last else {}
    return replace(_json_body(served, envelope, lambda: [texts], len(texts)), headers=headers)


def history_body(served: SimulatedCustomer, wanted: Sequence[UnitSeries], window: Window, limit: int) -> Body:
    """Return shape 4: the newest `limit` readings of the window, newest first."""
    form = json_format(served.customer)
    texts: list[str] = []
    for pieces in served.pieces(wanted, window, newest_first=True):
        texts.extend(reversed(_in_time_order(served, form, pieces)))
        if len(texts) >= limit:
            break
    texts = texts[:limit]
    envelope = {
        **_envelope(served, window),
        "start_time": naive_text(moment_of(window.start_us)),
        "end_time": naive_text(moment_of(min(window.end_us, window.now_us))),
        "readings_count": len(texts),
    }
    return _json_body(served, envelope, lambda: [texts], len(texts))


def csv_body(served: SimulatedCustomer, window: Window) -> Body | None:
    """Return shape 2: the readings of a window as a download, oldest first; None if there are none."""
    customer, form = served.customer, csv_format(served.customer)
    row_count, pieces = _counted(served, window)
    if not row_count:
        return None
    dialect = customer.csv_dialect
    trailers = {"": "", "blank": dialect.line_end, "summary": f"Rows: {row_count}{dialect.line_end}"}
    return Body(
        content_type="text/csv",
        opening=dialect.delimiter.join(form.fields) + dialect.line_end,
        pieces=lambda: _texts(served, form, pieces()),
        closing=dialect.line_end + trailers[dialect.trailer],
        row_count=row_count,
        separator=dialect.line_end,
        garbage=_garbage(served, form),
        encoding=dialect.encoding,
        gzip=dialect.gzip,
    )


def unit_body(served: SimulatedCustomer, series: UnitSeries) -> Body | None:
    """Return shape 3: one unit's newest measurement in whole degrees, without its time; None during a power cut."""
    rows = served.latest(series)
    if not rows.size:
        return None
    degrees = round(int(rows.thousandths[0]) / 1_000) if rows.measured[0] else None
    return document_body(
        {
            "customer": served.customer.code,
            "storage_room": series.unit.name or series.unit.code,
            "temp": degrees,
            "degrees": series.unit.temperature_unit,
        }
    )


def facilities_body(served: SimulatedCustomer) -> Body:
    """Return shape 5: the customer's facilities and units."""
    customer = served.customer
    facilities = [
        {
            "id": facility.code,
            "name": facility.name,
            "city": facility.city,
            "country": facility.country,
            "units": [_unit_document(each) for each in served.all_series if each.facility is facility],
        }
        for facility in customer.facilities
    ]
    return document_body({"customer": customer.code, "customer_name": customer.name, "facilities": facilities})


def document_body(document: dict[str, object]) -> Body:
    """Return a complete JSON body, to which no row faults apply."""
    text = json.dumps(document, ensure_ascii=False)
    return Body(content_type="application/json", opening=text, pieces=list, closing="", row_count=0)


def _unit_document(series: UnitSeries) -> dict[str, object]:
    unit, quality = series.unit, series.customer.data_quality
    return {
        "id": unit.code,
        "name": unit.name,
        "size": unit.size_value,
        "size_unit": unit.size_unit,
        "set_temperature": unit.set_temperature,
        "temperature_unit": unit.temperature_unit,
        "data_frequency": unit.reading_every_seconds,
        "data_quality": {
            "null_reading": quality.null_reading,
            "null_name": quality.null_name,
            "null_city": quality.null_city,
            "clock_jitter_seconds": quality.clock_jitter_seconds,
        },
    }


def _envelope(served: SimulatedCustomer, window: Window) -> dict[str, object]:
    return {"customer_id": served.customer.code, "generated_at": naive_text(moment_of(window.now_us))}


def _json_body(served: SimulatedCustomer, envelope: dict[str, object], pieces: Any, row_count: int) -> Body:
    name = served.customer.envelope
    is_bare = name == "bare"
    return Body(
        content_type="application/json",
        opening="[" if is_bare else json.dumps({**envelope, name: None}, ensure_ascii=False)[: -len("null}")] + "[",
        pieces=pieces,
        closing="]" if is_bare else "]}",
        row_count=row_count,
        garbage=_garbage(served, json_format(served.customer)),
    )


def _garbage(served: SimulatedCustomer, form: RowFormat) -> Any:
    timestamp = naive_text(served.clock.now())

    def make(chance: random.Random) -> str:
        return form.garbage(chance.choice(served.all_series), timestamp, chance)

    return make


def _counted(served: SimulatedCustomer, window: Window) -> tuple[int, Windows]:
    """Return the number of rows of the window, and a function that yields them; a short window is computed once."""
    begun = list(islice(served.pieces(served.all_series, window), 2))
    if len(begun) < 2:
        return sum(piece.rows.size for pieces in begun for piece in pieces), lambda: begun
    return served.row_count(served.all_series, window), lambda: served.pieces(served.all_series, window)


def _texts(served: SimulatedCustomer, form: RowFormat, time_chunks: Iterable[list[Piece]]) -> Iterator[list[str]]:
    for pieces in time_chunks:
        yield _in_time_order(served, form, pieces)


def _in_time_order(served: SimulatedCustomer, form: RowFormat, pieces: Sequence[Piece]) -> list[str]:
    """Return the rows of all units in sampling order."""
    texts = [text for series, rows in pieces for text in form.texts(series, rows, served.faults_of(series.unit.code))]
    if len(pieces) == 1:
        return texts
    order = np.argsort(np.concatenate([rows.sampled_us for _, rows in pieces]), kind="stable")
    return [texts[position] for position in order.tolist()]
