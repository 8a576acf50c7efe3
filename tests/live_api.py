"""The REST API of a running web process on loopback, with the demo's customers and tokens and some readings."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from temperature_site.dev.folder_broker import BROKER_URL
from tests.running_system import RunningSystem, running_system, wait_until

TOKENS = {"read": "read_A_65_token_2025", "write": "write_A_65_token_2025", "admin": "admin_A_65_admin_token_2025"}
UNITS = 3
READINGS = 60


@dataclass(frozen=True)
class LiveApi:
    """Address of the API, and the system behind it."""

    root: str
    system: RunningSystem

    def request(self, method: str, path: str, token: str, body: Any = None) -> Any:
        """Return the JSON response to a request, which must succeed."""
        response = requests.request(
            method, f"{self.root}/api/v1{path}", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30
        )
        response.raise_for_status()
        return response.json()


@contextmanager
def live_api(folder: Path, *, has_static_files: bool = False) -> Iterator[LiveApi]:
    """Run the API without worker and beat. Customer A has a facility with units that have readings.

    has_static_files: the pages of the API's documentation need them; collecting them takes seconds.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running_system(BROKER_URL, folder, DEMO="true", PORT=str(port), WEB_WORKERS="1") as system:
        if has_static_files:
            system.manage("collectstatic", "--no-input", "--verbosity", "0")
        system.start("web")
        api = LiveApi(f"http://127.0.0.1:{port}", system)
        wait_until("the web process answers", lambda: is_answering(api.root), seconds=30)
        add_readings(api)
        yield api


def is_answering(root: str) -> bool:
    try:
        return requests.get(f"{root}/ping", timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


def add_readings(api: LiveApi) -> None:
    """Add three units at 5 °C with readings every half hour up to now."""
    facility = api.request(
        "POST",
        "/facilities",
        TOKENS["admin"],
        {"facility_code": "facility_A_1", "name": "Oxford Science Park", "time_zone": "Europe/London"},
    )
    rng = random.Random(5)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for number in range(UNITS):
        unit = api.request(
            "POST",
            f"/facilities/{facility['id']}/units",
            TOKENS["admin"],
            {"unit_code": f"unit_A_1_{number + 1}", "name": f"Refrigerator {number + 1}", "set_temperature": 5.0},
        )
        rows = [
            {
                "storage_unit_id": unit["id"],
                "temperature": round(rng.gauss(5.0, 0.8), 1),
                "temperature_unit": "C",
                "recorded_at": (now - place * timedelta(minutes=30)).isoformat(),
                "sensor_id": "sensor_1",
            }
            for place in range(READINGS)
        ]
        result = api.request("POST", "/temperature/bulk", TOKENS["write"], rows)
        assert result["stored"] == READINGS, result
