"""Workers consume from the queues of the settings, wherever those come from."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

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


def test_no_command_line_names_the_queue_itself() -> None:
    """Or it would not see what is set in `.env` alone."""
    for name in ("Procfile", "Procfile.dev"):
        assert "CELERY_QUEUE" not in Path(settings.BASE_DIR, name).read_text()
