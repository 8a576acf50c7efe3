"""The Celery application: how a wake-up call travels. What it wakes is in the apps' `tasks.py`."""

import os
from typing import Any

import structlog
from celery import Celery, Task, signals

from temperature_site.dev import folder_broker
from temperature_site.worker_heartbeat import Pulse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")

# How long a sender waits for RabbitMQ to confirm that it has the message; without a limit a stuck broker stops beat.
CONFIRM_SECONDS = 10

logger = structlog.get_logger(__name__)


class TemperatureCelery(Celery):
    """Celery whose every message is sent with a limit on the wait for the broker's confirmation."""

    def send_task(self, *args: Any, **options: Any) -> Any:
        options.setdefault("confirm_timeout", CONFIRM_SECONDS)
        return super().send_task(*args, **options)


app = TemperatureCelery("temperature_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["consumer"].add(Pulse)


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Being connected is enough: Celery then leaves the logging alone that Django has set up."""


@signals.task_prerun.connect
def bind_task(task_id: str, task: Task, **_: Any) -> None:
    """Name the task in every line that is logged during it."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)


@signals.task_postrun.connect
def unbind_task(**_: Any) -> None:
    structlog.contextvars.clear_contextvars()


@signals.worker_init.connect
@signals.beat_init.connect
def warn_of_folder_broker(**_: Any) -> None:
    if app.conf.broker_url == folder_broker.BROKER_URL:
        logger.warning(
            "Messages travel through a folder: good for trying out on one machine, loses those in flight when a"
            " process is killed. Set CELERY_BROKER_URL to a RabbitMQ for more."
        )


@signals.beat_init.connect
def keep_schedule(**_: Any) -> None:
    """Beat never starts without the entries the system lives by."""
    from temperature_site.schedule import ensure_schedule

    ensure_schedule()


@signals.beat_init.connect
def keep_partitions(**_: Any) -> None:
    """The coming months have their partitions from the start, not only once their task is due for the first time."""
    from readings.storage.partitions import ensure_partitions_ahead

    ensure_partitions_ahead()
