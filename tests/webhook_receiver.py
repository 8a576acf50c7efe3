"""A webhook receiver that stores deliveries and responds as a test requires."""

from __future__ import annotations

import hmac
import json
import threading
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Delivery:
    """One request: its headers by lower-case names, and its raw body."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Verify as specified by Standard Webhooks: one of the signatures must match."""
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = hmac.new(b64decode(secret.removeprefix("whsec_")), signed, sha256).digest()
        return f"v1,{b64encode(expected).decode()}" in self.headers["webhook-signature"].split(" ")


@dataclass(frozen=True)
class Answer:
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: some tests kill the sender during a delivery."""


class WebhookReceiver:
    """Listen on a free loopback port while used as a context. `answer` is called for each delivery."""

    def __init__(self, answer: Callable[[Delivery], Answer] = lambda _: Answer()) -> None:
        self.answer = answer
        self.deliveries: list[Delivery] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # the sender was killed before it had sent all of it
                    return
                delivery = Delivery({name.lower(): value for name, value in self.headers.items()}, body)
                receiver.deliveries.append(delivery)
                answer = receiver.answer(delivery)
                self.send_response(answer.status)
                for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/alarms"

    @property
    def counts(self) -> Counter[str]:
        """The number of deliveries by message id."""
        return Counter(delivery.id for delivery in list(self.deliveries))

    def __enter__(self) -> WebhookReceiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
