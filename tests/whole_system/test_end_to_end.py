"""From customers' systems through RabbitMQ, worker and beat into PostgreSQL: nothing missing, extra or changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.collected import (
    LATEST_ASTRAY,
    NONE_AT_ALL,
    ROLLUPS_ASTRAY,
    Difference,
    accounts_due,
    accounts_in,
    difference,
)
from tests.running_system import RunningSystem, ask, running_system, wait_until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.xdist_group("running system")]

UNITS = 94
SPAN = timedelta(minutes=30)
SPEED = 120

# Beat looks for due sources every second, and each is due every second or two.
LOOK_OFTEN = """
WITH often AS (INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (1, 'seconds') RETURNING id)
UPDATE django_celery_beat_periodictask SET interval_id = often.id FROM often WHERE name = 'Send due sources'
"""
# Every other source is requested from its cursor on, the others by look-back.
POLL_SIMULATOR = """
UPDATE source SET structure_url = %(url)s || '/facilities',
    url = %(url)s || replace(substring(url FROM '://[^/]+(/.*)'), 'hours={hours}',
        CASE WHEN id %% 2 = 0 THEN 'since={since}&until={until}' ELSE 'hours={hours}' END),
    interval_seconds = 1 + id / 2 %% 2, first_hours = 1, next_due_at = now()
WHERE customer_id = (SELECT id FROM customer WHERE customer_code = %(code)s)
"""
POLL_NOW = "UPDATE source SET next_due_at = now()"
POLLED_WELL_SINCE = "SELECT count(DISTINCT source_id) FROM delivery WHERE started_at > %s AND status = 'success'"
DELIVERIES = "SELECT status, count(*) FROM delivery GROUP BY 1"
FAILURES = "SELECT DISTINCT error_reason FROM delivery WHERE status = 'failure'"
REJECTED_BUT_FOR_CUTS = "SELECT sum(seen_count) FROM rejected_row WHERE reason <> 'cut_off'"


class Simulated:
    """Half an hour of the customers' cold stores, in less time, while the system collects."""

    def __init__(self, system: RunningSystem, *simulator_arguments: str) -> None:
        self.system, self.database = system, system.database
        self.database.rows(LOOK_OFTEN)
        system.start("worker")
        system.start("message-worker")
        system.start("slow-worker")
        self.began_at = datetime.now(UTC) - SPAN
        self.urls = system.start_simulator(
            *("--clock-start", self.began_at.isoformat()),
            *("--clock-stop", (self.began_at + SPAN).isoformat()),
            *("--speed", str(SPEED)),
            *simulator_arguments,
        )
        for code, url in self.urls.items():
            self.database.rows(POLL_SIMULATOR, {"code": code, "url": url})
        system.start("beat")

    def is_over(self) -> bool:
        now = ask(f"{self.urls['A']}/health")["now"]
        return datetime.fromisoformat(now) == self.began_at + SPAN

    def live_to_the_end(self) -> None:
        """Wait until the period is over, the customers' systems work again, and all have been polled since."""
        wait_until("the simulated span is over", self.is_over, seconds=90)
        ask(f"{self.urls['A']}/simulate/transport?customers=all", {})
        # Twice: the response that the first of these deliveries loads may have been sent before.
        for _ in range(2):
            self.poll_all()

    def poll_all(self) -> None:
        since = datetime.now(UTC)
        self.database.rows(POLL_NOW)
        wait_until(
            "all customers are polled well",
            lambda: self.database.value(POLLED_WELL_SINCE, [since]) == len(self.urls),
            seconds=90,
        )

    def difference(self) -> Difference:
        return difference(accounts_in(self.database, self.began_at), accounts_due(self.urls, self.began_at))

    def garbage_rows_sent(self) -> int:
        return sum(ask(f"{url}/ledger")["garbage_rows"] for url in self.urls.values())


def assert_everything_agrees(simulated: Simulated) -> None:
    """Compare the readings with the ledger, and what is derived from the readings with them."""
    database = simulated.database
    assert simulated.difference() == NONE_AT_ALL
    assert database.value("SELECT count(*) FROM reading WHERE recorded_at >= %s", [simulated.began_at]) > UNITS
    assert database.rows(ROLLUPS_ASTRAY) == []
    assert database.rows(LATEST_ASTRAY) == []
    assert database.value("SELECT count(*) FROM storage_unit") == UNITS
    assert database.value("SELECT count(*) FROM reading_conflict") == 0


def test_half_an_hour_of_the_whole_fleet_arrives_as_it_was_measured(broker_url: str, tmp_path: Path) -> None:
    with running_system(broker_url, tmp_path) as system:
        simulated = Simulated(system)
        simulated.live_to_the_end()

        assert_everything_agrees(simulated)
        assert [status for status, _ in simulated.database.rows(DELIVERIES)] == ["success"]
        assert simulated.database.value("SELECT count(*) FROM rejected_row") == 0


def test_readings_arrive_completely_from_unreliable_systems(broker_url: str, tmp_path: Path) -> None:
    with running_system(broker_url, tmp_path) as system:
        simulated = Simulated(
            system,
            "--transport",
            "duplicated_rows=0.2,shuffled_rows=0.5,late_seconds=600,cut_off=0.15,garbage_rows=0.02,"
            "error_500=0.1,html=0.1,unavailable_503=0.05,retry_after_seconds=1",
        )
        simulated.live_to_the_end()

        assert_everything_agrees(simulated)
        database = simulated.database
        assert {status for status, _ in database.rows(DELIVERIES)} == {"success", "partial", "failure"}
        assert {reason for (reason,) in database.rows(FAILURES)} == {"http_status", "html_instead_of_data"}
        assert database.value("SELECT count(*) FROM rejected_row WHERE reason = 'cut_off'") > 0
        assert simulated.garbage_rows_sent() > 0
        assert database.value(REJECTED_BUT_FOR_CUTS) == simulated.garbage_rows_sent()
