"""The customers' systems respond with errors, late, cut off, twice and in disorder; many write the same at once."""

from __future__ import annotations

import random
import time

from faults.fault import Fault
from faults.trial import Trial

LOAD_SECONDS = 60
# A fifth of all responses is wrong in some way. Garbage rows are not in the ledger; they are rejected.
FAULTY_RESPONSES = (
    "error_500=0.04,unavailable_503=0.04,retry_after_seconds=1,html=0.04,cut_off=0.04,hang=0.02,slow_body=0.02,"
    "slow_seconds=3,duplicated_rows=0.2,shuffled_rows=0.2"
)


def respond_wrongly(_: Trial, __: random.Random) -> None:
    """Let the customers' systems fail as they do throughout this trial."""
    time.sleep(LOAD_SECONDS)


FAULTS = {FAULTY_RESPONSES: [Fault("a fifth of the customers' responses is wrong", respond_wrongly, tries=1)]}
