"""Sources and conflicts as the pages and the admin present them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ingestion.models import Conflict
from ingestion.selectors import SourceState
from readings.units.condition import deviation_k
from readings.units.formatting import age_text, deviation_text, exact_temperature_text

if TYPE_CHECKING:
    from ingestion.selectors import ListedSource, StatefulSource

# The style sheet's class for each state, and a sign for readers who can't see colours.
_STYLES = {
    SourceState.FAILING: ("critical", "■"),
    SourceState.LATE: ("warning", "▲"),
    SourceState.POLLING: ("in-limits", "✓"),
    SourceState.ON_TIME: ("in-limits", "✓"),
}
_DEFAULT_STYLE = ("no-limits", "–")
_NOT_POLLED = (SourceState.PAUSED, SourceState.INACTIVE, SourceState.RECEIVING)


@dataclass(frozen=True, slots=True)
class StatePresenter:
    """A source's state with its label, style class and sign."""

    state: SourceState

    @property
    def value(self) -> str:
        """The label."""
        return self.state.label

    @property
    def slug(self) -> str:
        """The style sheet's class."""
        return _STYLES.get(self.state, _DEFAULT_STYLE)[0]

    @property
    def mark(self) -> str:
        """The sign shown beside the label."""
        return _STYLES.get(self.state, _DEFAULT_STYLE)[1]


@dataclass(frozen=True, slots=True)
class SourcePresenter:
    """A source with its state as presented at `now`."""

    source: StatefulSource | ListedSource
    now: datetime

    @property
    def state(self) -> StatePresenter:
        """The state at `now`."""
        return StatePresenter(SourceState(self.source.state))

    @property
    def last_success(self) -> str:
        """The age of the last successful poll or delivery."""
        last = self.source.last_success_at
        return f"{age_text(self.now - last)} ago" if last else "Never"

    @property
    def next_poll(self) -> str:
        """The time until the next poll; empty for a source that is not polled."""
        if self.source.state in _NOT_POLLED:
            return ""
        if self.source.is_polling_at(self.now):
            return "In progress"
        wait = self.source.next_due_at - self.now
        return f"in {age_text(wait)}" if wait > timedelta(0) else "Due"

    @property
    def lag(self) -> str:
        """The age of the cursor: the instant up to which everything is stored."""
        return age_text(self.now - self.source.cursor_at) if self.source.cursor_at else "–"


@dataclass(frozen=True, slots=True)
class ConflictPresenter:
    """A conflict's stored and later temperatures and their difference as text."""

    conflict: Conflict

    @property
    def stored(self) -> str:
        """The stored temperature."""
        return self._text(self.conflict.stored_temperature_c)

    @property
    def sent(self) -> str:
        """The temperature that was sent later."""
        return self._text(self.conflict.temperature_c)

    @property
    def difference(self) -> str:
        """The later temperature minus the stored one."""
        difference_k = deviation_k(self.conflict.temperature_c, self.conflict.stored_temperature_c)
        return deviation_text(difference_k, self.conflict.scale)

    def _text(self, temperature_c: float | None) -> str:
        if temperature_c is None:
            return "no measurement"
        return exact_temperature_text(temperature_c, self.conflict.scale)
