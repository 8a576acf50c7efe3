"""Requests that are sent to the web process throughout, as load balancers and people do."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request

PROBE_EVERY_SECONDS = 0.5
ANSWER_SECONDS = 15.0


class Probes:
    """Requests `/ping` again and again, and remembers how long the slowest response took."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.slowest_seconds = 0.0
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._probe_for_ever, daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Forget earlier responses."""
        self.slowest_seconds = 0.0

    def end(self) -> None:
        """End the thread."""
        self._is_ending.set()
        self._thread.join(ANSWER_SECONDS + PROBE_EVERY_SECONDS)

    def health(self) -> dict[str, str]:
        """Return the report of `/health`, empty if there is no response."""
        try:
            with urllib.request.urlopen(f"{self.site}/health", timeout=ANSWER_SECONDS) as response:  # noqa: S310  ours
                report: dict[str, str] = json.load(response)
        except urllib.error.HTTPError as error:
            report = json.load(error)
        except OSError:
            return {}
        return report

    def _probe_for_ever(self) -> None:
        while not self._is_ending.wait(PROBE_EVERY_SECONDS):
            began = time.monotonic()
            try:
                with urllib.request.urlopen(f"{self.site}/ping", timeout=ANSWER_SECONDS):  # noqa: S310  ours
                    pass
            except ConnectionError:
                continue  # the web process is being restarted
            except OSError:
                pass
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
