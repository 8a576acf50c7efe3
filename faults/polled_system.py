"""A customer's system that a fault has polled: it responds to each request as the fault requires."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler

from tests.webhook_receiver import Server

Rows = Sequence[dict[str, object]]


class PolledSystem:
    """Serve rows as JSON on a free loopback port, and count the requests.

    `rows` is called with the port of the client, by which the process that sent the request can be found.
    """

    def __init__(self, rows: Callable[[int], Rows] = lambda _: []) -> None:
        self.rows = rows
        self.count = 0
        polled = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                polled.count += 1
                body = json.dumps(polled.rows(self.client_address[1])).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """What the source requests."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/readings"

    def end(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
