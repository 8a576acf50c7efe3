"""Work that fails, or ends its worker, whenever it is tried: it must not stop other work, nor be tried for ever."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

import psutil

from core.leases import MAX_INTERRUPTED
from faults.fault import Fault
from faults.gateway import CUSTOMER as GATEWAY
from faults.polled_system import PolledSystem
from faults.preparation import POISON
from faults.trial import Trial
from tests.running_system import wait_until

FAILING_SECONDS = 10.0
# Each attempt ends with a lease that has to expire.
LEFT_OUT_WITHIN = 360.0
# Polls that would follow if the source were not left out.
WATCHED_SECONDS = 30.0

FAIL = """
CREATE FUNCTION fail_evaluation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF mod(NEW.storage_unit_id, 3) = 0 AND EXISTS (
        SELECT FROM storage_unit JOIN facility ON facility.id = facility_id JOIN customer ON customer.id = customer_id
        WHERE storage_unit.id = NEW.storage_unit_id AND customer_code = '{customer}'
    ) THEN RAISE EXCEPTION 'This unit cannot be evaluated.'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fail_evaluation BEFORE INSERT OR UPDATE ON excursion FOR EACH ROW EXECUTE FUNCTION fail_evaluation()
"""
SUCCEED = "DROP TRIGGER fail_evaluation ON excursion; DROP FUNCTION fail_evaluation()"
FAILURES = "SELECT count(*) FROM evaluation_failure"
RETRY_SOON = "UPDATE evaluation_failure SET next_attempt_at = now()"

POLL = "UPDATE source SET is_paused = false, url = %s, next_due_at = now() WHERE name = %s RETURNING id"
PAUSE = "UPDATE source SET is_paused = true WHERE id = %s"
POLLS_BEGUN = "SELECT polls_begun FROM source WHERE id = %s"


def fail_evaluations(trial: Trial, _: random.Random) -> None:
    """Let the evaluation of every third unit fail for some seconds; readings are stored, and alarms follow."""
    trial.database.rows(FAIL.format(customer=GATEWAY))
    time.sleep(FAILING_SECONDS)
    if not trial.database.value(FAILURES):
        trial.findings.append("no evaluation has failed")
    trial.database.rows(SUCCEED)
    # As the button in the admin does, once the cause is gone.
    trial.database.rows(RETRY_SOON)
    wait_until("nothing has failed", lambda: not trial.database.value(FAILURES), seconds=120.0)


def kill_whoever_polls(trial: Trial, _: random.Random) -> None:
    """Let a source kill each process that polls it, until it is left out; the others are polled meanwhile."""
    killer = PolledSystem(_kill_whoever_uses)
    try:
        ((source_id,),) = trial.database.rows(POLL, [killer.url, POISON])
        wait_until("it is left out", lambda: _is_left_out(trial, source_id), seconds=LEFT_OUT_WITHIN, look_every=1.0)
        killed = killer.count
        time.sleep(WATCHED_SECONDS)
        if killer.count > killed or killed > MAX_INTERRUPTED:
            trial.findings.append(f"the source was polled {killer.count} times, {killed} times until it was left out")
    finally:
        killer.end()
    trial.database.rows(PAUSE, [source_id])


def _is_left_out(trial: Trial, source_id: int) -> bool:
    return bool(trial.database.value(POLLS_BEGUN, [source_id]) > MAX_INTERRUPTED)


def _kill_whoever_uses(port: int) -> list[dict[str, object]]:
    for connection in psutil.net_connections("tcp4"):
        if connection.laddr and connection.laddr.port == port and connection.pid and connection.pid != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(connection.pid, signal.SIGKILL)
    return []


FAULTS = [
    Fault("the evaluation of some units fails", fail_evaluations, tries=5),
    Fault("a source ends each worker that polls it", kill_whoever_polls, tries=1),
]
