"""Workers consume from the queues of the settings, wherever those come from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from pytest_django import Settings

from temperature_site.celery import app, choose_queues, queue_names


def test_main_and_slow_stand_for_the_queues_of_the_settings(settings: Settings) -> None:
    settings.CELERY_TASK_DEFAULT_QUEUE, settings.SLOW_QUEUE = "cold", "cold.slow"
    assert queue_names(["main", "slow", "other"]) == ["cold", "cold.slow", "other"]


def test_a_worker_consumes_from_the_queue_of_the_settings() -> None:
    queues = app.amqp.Queues([])
    queues.select(["slow"])
    choose_queues(SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=queues))))
    assert list(queues.consume_from) == [settings.SLOW_QUEUE]


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_all_queues_have_the_type_of_the_settings(queue_type: str) -> None:
    code = """
from temperature_site.celery import app
from django.conf import settings
names = (settings.CELERY_TASK_DEFAULT_QUEUE, settings.SLOW_QUEUE, settings.MESSAGE_QUEUE)
print(*[(app.amqp.queues[name].queue_arguments or {}).get("x-queue-type", "classic") for name in names])
"""
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"CELERY_QUEUE_TYPE": queue_type},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.split() == [queue_type] * 3


def test_every_task_ends_before_rabbitmq_stops_waiting_for_it() -> None:
    """By default it waits for half an hour, and then ends the connection, with which the worker stops."""
    app.loader.import_default_modules()
    limits = {name: task.time_limit or app.conf.task_time_limit for name, task in app.tasks.items()}
    assert [name for name, limit in limits.items() if limit >= 1_800] == []


def test_no_command_line_names_the_queue_itself() -> None:
    """Or it would not see what is set in `.env` alone."""
    for name in ("Procfile", "Procfile.dev"):
        assert "CELERY_QUEUE" not in Path(settings.BASE_DIR, name).read_text()
