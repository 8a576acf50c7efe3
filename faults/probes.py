"""Requests that are sent to the web process throughout, as load balancers and people do."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request

PATHS = ("/ping", "/health")
PROBE_EVERY_SECONDS = 0.5
ANSWER_SECONDS = 15.0


class Probes:
    """Requests `/ping` and `/health` again and again, and remembers how long the slowest response of each took."""

    paths: tuple[str, ...] = PATHS

    def __init__(self, site: str) -> None:
        self.site = site
        self.slowest_seconds = dict.fromkeys(self.paths, 0.0)
        self._is_ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._probe_for_ever, args=(path,), daemon=True) for path in self.paths
        ]
        for thread in self._threads:
            thread.start()

    def begin(self) -> None:
        """Forget earlier responses."""
        self.slowest_seconds = dict.fromkeys(self.paths, 0.0)

    def end(self) -> None:
        """End the threads."""
        self._is_ending.set()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS + PROBE_EVERY_SECONDS)

    def health(self) -> dict[str, str]:
        """Return the report of `/health`, empty if there is no response."""
        try:
            with urllib.request.urlopen(f"{self.site}/health", timeout=ANSWER_SECONDS) as response:  # noqa: S310  ours
                report: dict[str, str] = json.load(response)
        except urllib.error.HTTPError as error:
            report = json.load(error)
        except (OSError, http.client.HTTPException):
            return {}
        return report

    def _probe_for_ever(self, path: str) -> None:
        while not self._is_ending.wait(PROBE_EVERY_SECONDS):
            began = time.monotonic()
            try:
                with urllib.request.urlopen(self.site + path, timeout=ANSWER_SECONDS) as response:  # noqa: S310  ours
                    response.read()
            except (ConnectionError, http.client.HTTPException):
                continue  # the web process is being restarted
            except OSError:
                pass
            self.slowest_seconds[path] = max(self.slowest_seconds[path], time.monotonic() - began)
