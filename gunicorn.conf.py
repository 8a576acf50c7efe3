"""The web process: workers with threads, settings and logs shared with everything else."""

import gc
import os
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings

from temperature_site.conf.environment import require_valid_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")
require_valid_settings()

bind = f"{settings.BIND}:{settings.PORT}"
worker_class = "gthread"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
# A page is there in a second; an upload of a large file may take a minute.
timeout = 120
keepalive = 5
# A heartbeat file on a disk can stall a worker; memory cannot.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - holds no data
control_socket_disable = True
logconfig_dict = settings.LOGGING

# The processes keep their latencies here for each other, from one start of the server to the next.
metrics_folder = Path(settings.DATA_DIR) / "metrics" / str(settings.PORT)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_folder)


def on_starting(server: Any) -> None:
    """Empty the folder of the previous run's metrics."""
    shutil.rmtree(metrics_folder, ignore_errors=True)
    metrics_folder.mkdir(parents=True)


def post_worker_init(worker: Any) -> None:
    """Exclude the loaded application from garbage collection: it never becomes garbage.

    Answers leave few cycles behind, so it need not look after every 700 new objects either; see docs/architecture.md.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
