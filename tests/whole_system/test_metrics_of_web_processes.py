"""`/metrics` of several web processes reports what all of them served, whichever responds."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import requests

from temperature_site.dev.folder_broker import BROKER_URL
from tests.live_api import is_answering
from tests.running_system import running_system, wait_until

pytestmark = pytest.mark.xdist_group("running system")

REQUESTS = 40
WEB_WORKERS = 2


def test_requests_are_added_up_over_all_web_processes(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = f"http://127.0.0.1:{port}"
    with running_system(BROKER_URL, tmp_path, PORT=str(port), WEB_WORKERS=str(WEB_WORKERS)) as system:
        system.start("web")
        wait_until("the web process answers", lambda: is_answering(root), seconds=30)
        for _ in range(REQUESTS):
            requests.get(f"{root}/openapi.json", timeout=10)  # a connection each, so that both processes serve some

        # Requested often enough that each process responds at least once.
        counts = {count_of(requests.get(f"{root}/metrics", timeout=10).text) for _ in range(10)}

    assert counts == {REQUESTS}


def count_of(scrape_metrics: str) -> float:
    name = 'temperature_http_request_seconds_count{method="GET",route="openapi.json",status="200"}'
    return next(float(line.rpartition(" ")[2]) for line in scrape_metrics.splitlines() if line.startswith(name))
