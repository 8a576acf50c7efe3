"""The measured process: it pushes and polls as told on its standard input, and reports time and memory of each.

python -m tests.hostile_bodies.process
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")

MEBIBYTE = 1 << 20
_STATUS = Path("/proc/self/status")


def main() -> None:
    """Carry out one command per line, the first of which is measured as idle."""
    from temperature_site.wsgi import application

    idle_bytes = 0
    for line in sys.stdin:
        command = json.loads(line)
        Path("/proc/self/clear_refs").write_text("5")  # the peak is measured from here
        before = _memory_bytes("VmRSS")
        idle_bytes = idle_bytes or before
        began, began_at = time.process_time(), time.monotonic()
        outcome = _poll(command["source"]) if "source" in command else _push(application, command)
        report = {
            "outcome": outcome,
            "seconds": time.process_time() - began,
            "elapsed_seconds": time.monotonic() - began_at,
            "mebibytes": (_memory_bytes("VmHWM") - idle_bytes) / MEBIBYTE,
        }
        if command.get("is_warm_up"):
            idle_bytes = _memory_bytes("VmRSS")
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


def _memory_bytes(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    return int(found[1]) * 1024 if found else 0


def _poll(source_id: int) -> str:
    from ingestion.models import Source
    from ingestion.polling.claims import claim_now
    from ingestion.polling.poll import poll

    deliveries = poll(claim_now(Source.objects.get(pk=source_id)))
    return ", ".join(f"{each.status} {each.error_reason} {each.error_message[:160]}" for each in deliveries)


def _push(application: Any, command: dict[str, str]) -> str:
    """Send a request to the site without a network; the body is read from a file, like from a socket."""
    path = Path(command["path"])
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v1/temperature/bulk",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": command["content_type"],
        "CONTENT_LENGTH": str(path.stat().st_size),
        "HTTP_CONTENT_ENCODING": "gzip",
        "HTTP_AUTHORIZATION": f"Bearer {command['token']}",
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    statuses: list[str] = []
    with path.open("rb") as file:
        environ["wsgi.input"] = file
        response = application(environ, lambda status, headers, error=None: statuses.append(status))
        body = b"".join(response)
        response.close()
    return f"{statuses[0]} {body[:160].decode(errors='replace')}"


if __name__ == "__main__":
    main()
