"""The Celery application. The tasks are in the apps' `tasks.py`."""

import gc
import os
import time
from collections.abc import Iterable
from contextvars import Token
from functools import partial
from typing import Any

import structlog
from celery import Celery, Task, signals, states
from celery.result import AsyncResult
from django.conf import settings
from django.db import OperationalError, close_old_connections, connection, connections
from typing_extensions import override

from temperature_site.conf.environment import require_valid_settings
from temperature_site.dev import folder_broker
from temperature_site.tracing import send_spans, start_tracing
from temperature_site.worker_heartbeat import WorkerHeartbeat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")

# How long a sender waits for RabbitMQ to confirm a message; without a limit a stuck broker would block beat.
CONFIRM_SECONDS = 10
# How long a task waits for a database that does not answer, well below the shortest time limit of a task.
DATABASE_WAIT_SECONDS = 20.0
DATABASE_RETRY_SECONDS = 0.5

logger = structlog.get_logger(__name__)
# What `audit.context` needs to end the tasks that are running, by their ids.
_works: dict[str, Token[Any]] = {}


class TemperatureCelery(Celery):
    """Celery that bounds the wait for the broker's confirmation of every message."""

    @override
    def send_task(self, *args: Any, **options: Any) -> AsyncResult[Any]:
        options.setdefault("confirm_timeout", CONFIRM_SECONDS)
        if isinstance(options.get("expires"), int | float) and self.conf.broker_url != folder_broker.BROKER_URL:
            # Celery's own expiry is an instant by the sender's clock, which the worker compares with its own. The
            # broker counts seconds itself.
            options["expiration"] = options.pop("expires")
        return super().send_task(*args, **options)


app = TemperatureCelery("temperature_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["consumer"].add(WorkerHeartbeat)


@signals.celeryd_init.connect
def name_worker(instance: Any, **_: object) -> None:
    """Give each worker of a machine a name of its own, unless the command line names it."""
    name, _at, host = instance.hostname.partition("@")
    if name == "celery":
        instance.hostname = f"worker-{os.getpid()}@{host}"


@signals.worker_before_create_process.connect
def keep_loaded_objects_shared(**_: object) -> None:
    """Exempt what is loaded from garbage collection: a child that collects would copy all of its pages."""
    gc.collect()
    gc.freeze()


@app.on_configure.connect
def refuse_invalid_settings(**_: object) -> None:
    """End a worker or beat with a sentence if a setting is invalid."""
    require_valid_settings()


@signals.setup_logging.connect
def keep_django_logging(**_: object) -> None:
    """Keep Django's logging configuration: Celery leaves it alone when this signal has a receiver."""


@signals.task_prerun.connect
def bind_task(task_id: str, task: Task[Any, Any], **_: object) -> None:
    """Add the task to every line that is logged, and to every change that is recorded, while it runs."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)
    from audit.context import begin_work, task_context

    _works[task_id] = begin_work(partial(task_context, task.name))


@signals.task_postrun.connect
def unbind_task(task_id: str, **_: object) -> None:
    """Forget the task after it ran."""
    structlog.contextvars.clear_contextvars()
    from audit.context import end_work

    if task_id in _works:
        end_work(_works.pop(task_id))


@signals.task_prerun.connect
def close_unusable_connections(task: Task[Any, Any], **_: object) -> None:
    """Close connections that are older than CONNECTION_MAX_AGE or broken; others serve the next task as well.

    A new connection for every task took more of PostgreSQL's time than storing what a poll received.
    """
    if not task.request.is_eager:
        close_old_connections()
        _wait_for_database()


def _wait_for_database() -> None:
    """Connect, waiting for a server that is restarting.

    A task that failed at once would leave what its message is about claimed until the lease for waiting messages ends.
    """
    deadline = time.monotonic() + DATABASE_WAIT_SECONDS
    while True:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            if time.monotonic() > deadline:
                return  # the task itself reports it
            logger.warning("the database does not answer", error=str(error))
            time.sleep(DATABASE_RETRY_SECONDS)
        else:
            return


@signals.task_postrun.connect
def close_connections_of_failure(task: Task[Any, Any], state: str | None = None, **_: object) -> None:
    """Close the connections of a task that failed, in whatever state it left them."""
    if state != states.SUCCESS and not task.request.is_eager:
        connections.close_all()


@signals.worker_process_init.connect
def start_tracing_tasks(**_: object) -> None:
    """Trace tasks in each of the worker's processes, if a collector is set."""
    start_tracing("worker")


@signals.worker_process_shutdown.connect
def send_last_spans(**_: object) -> None:
    """Send what was traced before a process of the worker ends."""
    send_spans()


def queue_names(chosen: Iterable[str]) -> list[str]:
    """Return the queues for `--queues`, in which "main", "slow" and "messages" stand for those of the settings.

    A command line that named them itself would know the environment, but not the file `.env`.
    """
    named = {
        "main": settings.CELERY_TASK_DEFAULT_QUEUE,
        "slow": settings.SLOW_QUEUE,
        "messages": settings.MESSAGE_QUEUE,
    }
    return [named.get(name, name) for name in chosen]


@signals.celeryd_after_setup.connect
def choose_queues(instance: Any, **_: object) -> None:
    """Let a worker consume from the queues of the settings."""
    queues = instance.app.amqp.queues
    queues.select(queue_names(list(queues.consume_from)))


@signals.worker_init.connect
@signals.beat_init.connect
def warn_of_folder_broker(**_: object) -> None:
    """Warn at start-up that the folder broker is for trials."""
    if app.conf.broker_url == folder_broker.BROKER_URL:
        logger.warning(
            "The broker is a folder on this machine: suitable for trials, loses messages in flight when a process is"
            " killed. Set CELERY_BROKER_URL to a RabbitMQ server for production."
        )


@signals.beat_init.connect
def complete_schedule(**_: object) -> None:
    """Add missing entries before beat starts."""
    from temperature_site.schedule import ensure_schedule

    ensure_schedule()


@signals.beat_init.connect
def create_partitions_ahead(**_: object) -> None:
    """Create the coming months' partitions before beat starts, not only when their task is first due."""
    from readings.storage.partitions import ensure_partitions_ahead

    ensure_partitions_ahead()


@signals.beat_init.connect
@signals.worker_init.connect
def record_settings_at_start(signal: object, **_: object) -> None:
    """Record the settings that beat, or the worker's main process, starts with."""
    from temperature_site.conf.recorded_settings import record_settings

    record_settings("beat" if signal is signals.beat_init else "worker")
