"""Compare what the system has stored and sent with the accounts of those who measured, sent and received it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tests.collected import LATEST_ASTRAY, ROLLUPS_ASTRAY, accounts_due, accounts_in, difference
from tests.databases import Database
from tests.webhook_receiver import WebhookReceiver

# Number and sum of the temperatures, in °C, that a storage unit is to hold, by customer and unit.
Expected = Mapping[tuple[str, str], tuple[int, float]]
NOTHING = (0, 0.0)
MAX_EXAMPLES = 5

HELD = """
SELECT customer_code, unit_code, count(*), sum(temperature_c)::float8
FROM (SELECT storage_unit_id, temperature_c FROM reading
    UNION ALL SELECT storage_unit_id, temperature_c FROM future_reading) AS stored
    JOIN storage_unit ON storage_unit.id = storage_unit_id
    JOIN facility ON facility.id = facility_id JOIN customer ON customer.id = customer_id
WHERE customer_code = ANY(%s) GROUP BY 1, 2
"""
CONFLICTS = "SELECT count(*) FROM reading_conflict"


@dataclass(frozen=True)
class Comparison:
    """What a fault has done to readings and messages."""

    readings: int
    missing: int
    extra: int
    changed: int
    messages: int
    messages_missing: int
    messages_duplicated: int
    # Some of what differs, for whoever looks for the cause.
    examples: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether everything arrived exactly once."""
        return not (self.missing or self.extra or self.changed or self.messages_missing or self.messages_duplicated)


@dataclass(frozen=True)
class Accounts:
    """What others have recorded: the simulator by its ledger, senders by what was acknowledged, the receiver."""

    urls: Mapping[str, str]
    since: datetime
    until: datetime
    expected: Expected
    # Units of which one alarm each is to be received.
    alarmed: tuple[str, ...]
    receiver: WebhookReceiver


def compare(database: Database, accounts: Accounts) -> Comparison:
    """Compare the database and the receiver's messages with the accounts."""
    due = accounts_due(dict(accounts.urls), accounts.since, accounts.until)
    held = accounts_in(database, accounts.since, accounts.until)
    simulated = difference({unit: account for unit, account in held.items() if unit[0] in accounts.urls}, due)
    sent = _held(database, accounts.expected)
    pairs = [(sent.get(unit, NOTHING), expected) for unit, expected in accounts.expected.items()]
    ids = message_ids(accounts.receiver)
    astray = [*database.rows(ROLLUPS_ASTRAY), *database.rows(LATEST_ASTRAY)]
    differing = [f"{unit}: {held.get(unit)}, due {due[unit]}" for unit in due if held.get(unit) != due[unit]]
    differing += [
        f"{unit}: {sent.get(unit)}, expected {expected}"
        for unit, expected in accounts.expected.items()
        if sent.get(unit) != expected
    ]
    differing += [f"unit {row[0]}: roll-ups or latest reading" for row in astray]
    changed = sum(found != expected for found, expected in pairs if found[0] == expected[0])
    return Comparison(
        readings=sum(account.count for account in due.values()) + sum(count for _, (count, _) in pairs),
        missing=simulated.missing + sum(max(0, expected[0] - found[0]) for found, expected in pairs),
        extra=simulated.extra + sum(max(0, found[0] - expected[0]) for found, expected in pairs),
        changed=simulated.changed + changed + len(astray) + database.value(CONFLICTS),
        messages=len(accounts.alarmed),
        messages_missing=sum(not ids.get(unit) for unit in accounts.alarmed),
        messages_duplicated=sum(len(ids.get(unit, ())) > 1 for unit in accounts.alarmed),
        examples=tuple(differing[:MAX_EXAMPLES]),
    )


def message_ids(receiver: WebhookReceiver) -> dict[str, Counter[str]]:
    """Return the ids of the messages about opened alarms that the receiver got, by unit."""
    ids: dict[str, Counter[str]] = {}
    for delivery in list(receiver.deliveries):
        event = delivery.document
        for each in event["data"].get("messages", [{"id": delivery.id, **event}]):
            alarm = each["data"]["alarm"]
            if each["type"] == "alarm.opened" and alarm["kind"] == "temperature":
                ids.setdefault(alarm["unit"]["code"], Counter())[each["id"]] += 1
    return ids


def _held(database: Database, expected: Expected) -> dict[tuple[str, str], tuple[int, float]]:
    """Return number and sum of the temperatures stored for the customers in `expected`."""
    rows = database.rows(HELD, [sorted({customer for customer, _ in expected})])
    return {(customer, unit): (count, total) for customer, unit, count, total in rows}
