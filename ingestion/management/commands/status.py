"""`manage.py status`: show counts, the newest readings and deliveries, and each source's lag."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from django.core.management.base import BaseCommand, CommandParser
from typing_extensions import override

from core.scope import Scope
from ingestion.status import SourceStatus, status


class Command(BaseCommand):
    """Shows the status of ingestion."""

    help = "Show counts per table, the newest readings and deliveries, and the lag of every source."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    @override
    def handle(self, *args: object, **options: object) -> None:
        state = status(Scope.everything())
        if options["json"]:
            self.stdout.write(json.dumps(state, indent=2))
            return
        self._table("Counts", [{"table": table, "rows": f"{count:,}"} for table, count in state["counts"].items()])
        self._table("Newest readings", state["newest_readings"])
        self._table("Newest deliveries", state["newest_deliveries"])
        self._table("Sources", [_source_line(source) for source in state["sources"]])

    def _table(self, title: str, rows: Sequence[Mapping[str, object]]) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(title))
        if not rows:
            self.stdout.write("  none")
            return
        cells = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
        for row in cells:
            self.stdout.write(
                "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            )


def _source_line(source: SourceStatus) -> dict[str, object]:
    state = "paused" if source["is_paused"] else "late" if source["is_late"] else "on time"
    lag = source["lag_seconds"]
    return {
        "customer": source["customer"],
        "source": source["source"],
        "state": state,
        "lag": None if lag is None else f"{lag:,.0f} s",
        "failures": source["failures_in_a_row"],
        "next_due_at": source["next_due_at"],
        "last_error": source["last_error"][:60],
    }


def _text(value: object) -> str:
    return "–" if value is None or value == "" else str(value)
