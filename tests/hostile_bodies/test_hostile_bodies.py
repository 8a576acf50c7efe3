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


# What took more than 150 MiB, after others, at nearly the sizes that the default limits allow.
LARGEST = "poll of /.*(a_city_per_row|CSV_of_local_times)|push of CSV of (huge numbers|local times)"


@pytest.mark.django_db(transaction=True)
def test_every_push_and_poll_stays_within_150_mib_above_idle_and_its_time(tmp_path: Path) -> None:
    campaign = Campaign(database_url(), tmp_path, poll_bytes=3 * MEBIBYTE, push_bytes=MEBIBYTE)

    # Fewer rows than by default, so that the bodies made of rows take less time; `make bench` sends all of them.
    reports = list(campaign.run(SOURCE_MAX_ROWS="5000"))

    assert len({report.name for report in reports}) >= 28
    assert [report for report in reports if is_beyond(report)] == []


@pytest.mark.django_db(transaction=True)
def test_the_largest_bodies_stay_within_150_mib_after_one_another(tmp_path: Path) -> None:
    campaign = Campaign(database_url(), tmp_path, poll_bytes=63 * MEBIBYTE, push_bytes=15 * MEBIBYTE)

    reports = list(campaign.run(LARGEST))

    assert len(reports) == 4
    assert [report for report in reports if is_beyond(report)] == []


def database_url() -> str:
    server_url = urlsplit(os.environ["DATABASE_URL"])
    return server_url._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def is_beyond(report: Report) -> bool:
    return report.mebibytes > MOST_MEBIBYTES or report.seconds > MOST_SECONDS or is_crash(report)


def is_crash(report: Report) -> bool:
    return "internal_error" in report.outcome or report.outcome.startswith("500 ")
