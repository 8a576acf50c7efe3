"""The web process: workers with threads behind a buffering loop, with the settings and logs of the others."""

import gc
import os
from pathlib import Path
from typing import Any

from django.conf import settings

from temperature_site.conf.environment import require_valid_settings
from temperature_site.conf.services import limit_statements
from temperature_site.metrics_folder import allocate_file, prepare_folder

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")
require_valid_settings()

bind = f"{settings.BIND}:{settings.PORT}"
worker_class = "temperature_site.web_worker.BufferingWorker"
workers = settings.WEB_WORKERS
# One more than requests may occupy says that all are busy, see temperature_site/middleware/probe_thread.py.
threads = settings.WEB_THREADS + 1
# A page takes less than a second; the upload of a large file may take a minute.
timeout = 120
# Seconds in which a connection is kept for the next request.
keepalive = 30
graceful_timeout = 30
# A heartbeat file on a slow disk can block a worker; one in memory cannot.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - holds no data
control_socket_disable = True
logconfig_dict = settings.LOGGING

# The processes share their latency metrics here.
metrics_folder = Path(settings.DATA_DIR) / "metrics" / str(settings.PORT)

# A request must not occupy a thread for ever; migrations, imports and evaluations, in other processes, may take longer.
for database in settings.DATABASES.values():
    limit_statements(database, settings.WEB_STATEMENT_SECONDS)


def on_starting(server: object) -> None:
    """Empty the folder of the previous run's metrics."""
    prepare_folder(metrics_folder)


def post_fork(server: object, worker: object) -> None:
    """Allocate the process's file of metrics before the application is loaded."""
    allocate_file(metrics_folder)


def post_worker_init(worker: Any) -> None:
    """Record the settings, trace, and exclude the application from garbage collection: it never becomes garbage.

    Responses create few cycles, so the collector need not run for every 700 new objects either; see
    docs/architecture.md.
    """
    from temperature_site.conf.recorded_settings import record_settings
    from temperature_site.tracing import start_tracing

    record_settings("web")
    start_tracing("web")
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
