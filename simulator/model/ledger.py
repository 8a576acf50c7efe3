"""What a perfect collector would have stored: counts and sums, to compare a database with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulator.base.instants import moment_of
from simulator.model.faults import Fault
from simulator.model.series import Rows, UnitSeries


@dataclass(frozen=True)
class Account:
    """Totals of some readings; `sum_thousandths` without nulls, the first and last timestamp as sent, or None."""

    count: int = 0
    nulls: int = 0
    sum_thousandths: int = 0
    first_us: int | None = None
    last_us: int | None = None

    def plus(self, rows: Rows) -> "Account":
        """Return the account with these rows added."""
        if not rows.size:
            return self
        return self.merged(
            Account(
                count=rows.size,
                nulls=rows.size - int(rows.measured.sum()),
                sum_thousandths=int(rows.thousandths.sum()),
                first_us=int(rows.recorded_us.min()),
                last_us=int(rows.recorded_us.max()),
            )
        )

    def merged(self, other: "Account") -> "Account":
        """Return the sum of two accounts."""
        firsts = [each for each in (self.first_us, other.first_us) if each is not None]
        lasts = [each for each in (self.last_us, other.last_us) if each is not None]
        return Account(
            count=self.count + other.count,
            nulls=self.nulls + other.nulls,
            sum_thousandths=self.sum_thousandths + other.sum_thousandths,
            first_us=min(firsts, default=None),
            last_us=max(lasts, default=None),
        )

    def document(self) -> dict[str, object]:
        """Return the account as JSON values."""
        return {
            "count": self.count,
            "nulls": self.nulls,
            "sum_thousandths": self.sum_thousandths,
            "first": _text(self.first_us),
            "last": _text(self.last_us),
        }


def unit_account(
    series: UnitSeries, start_us: int, end_us: int | None, now_us: int, faults: Sequence[Fault] = ()
) -> Account:
    """Return the totals of what the unit sampled up to now with a timestamp in [start, end); end None means no end."""
    account = Account()
    for rows in series.recorded_between(start_us, end_us, now_us, faults):
        account = account.plus(rows)
    return account


def total_of(accounts: Iterable[Account]) -> Account:
    """Return the sum of all accounts; it mixes scales if the units do."""
    total = Account()
    for account in accounts:
        total = total.merged(account)
    return total


def _text(instant_us: int | None) -> str | None:
    return None if instant_us is None else moment_of(instant_us).isoformat(timespec="microseconds")
