"""No body that a customer's system can send exhausts the memory or the time of the process that receives it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from tests.hostile_bodies.campaign import Campaign
from tests.hostile_bodies.measuring import Report

MOST_MEBIBYTES = 150
MOST_SECONDS = 60
MEBIBYTE = 1 << 20


@pytest.mark.django_db(transaction=True)
def test_every_push_and_poll_stays_within_150_mib_above_idle_and_its_time(tmp_path: Path) -> None:
    server_url = urlsplit(os.environ["DATABASE_URL"])
    database_url = server_url._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    campaign = Campaign(database_url, tmp_path, poll_bytes=3 * MEBIBYTE, push_bytes=MEBIBYTE)

    # Fewer rows than by default, so that the bodies made of rows take less time; `make bench` sends all of them.
    reports = list(campaign.run(SOURCE_MAX_ROWS="5000"))

    assert len({report.name for report in reports}) >= 28
    assert [report for report in reports if report.mebibytes > MOST_MEBIBYTES] == []
    assert [report for report in reports if report.seconds > MOST_SECONDS] == []
    assert [report for report in reports if is_crash(report)] == []


def is_crash(report: Report) -> bool:
    return "internal_error" in report.outcome or report.outcome.startswith("500 ")
