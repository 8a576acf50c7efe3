"""What beat wakes up in this room."""

from __future__ import annotations

from celery import shared_task

from alarms.mkt_excursions import answer_requests


@shared_task
def check_mkt() -> None:
    """Judge the mean kinetic temperature of the units that got readings."""
    answer_requests()
