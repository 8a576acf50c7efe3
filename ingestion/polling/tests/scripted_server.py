"""Servers on the loopback that send exactly what a test specifies, byte by byte if necessary."""

import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

Script = Callable[["Visit"], None]


@dataclass
class Visit:
    """One connection: `head` is the request, with its body if it declares one; `is_over` is set when the test ends."""

    connection: socket.socket
    head: bytes
    is_over: threading.Event

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.sendall(piece)

    def drip(self, piece: bytes, every_seconds: float = 0.02) -> None:
        """Send the piece again and again until the client disconnects."""
        while not self.is_over.wait(every_seconds):
            self.connection.sendall(piece)

    def hang(self) -> None:
        self.is_over.wait(10)

    def reset(self) -> None:
        """Reset the connection instead of closing it."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


@dataclass
class ScriptedServer:
    """A server that responds to every connection by its script; `heads` are the requests received."""

    script: Script
    tls: ssl.SSLContext | None = None
    reads_request: bool = True
    heads: list[bytes] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "ScriptedServer":
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.is_over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            with self.tls.wrap_socket(connection, server_side=True) if self.tls else connection as talking:
                head = read_head(talking) if self.reads_request else b""
                self.heads.append(head)
                self.script(Visit(talking, head, self.is_over))
        except OSError:
            return  # the client had seen enough, which many of these tests are about


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece:
            break
        head += piece
    length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head, re.IGNORECASE)
    missing = int(length[1]) - len(head.partition(b"\r\n\r\n")[2]) if length else 0
    while missing > 0 and (piece := connection.recv(missing)):
        head += piece
        missing -= len(piece)
    return head


def answer(body: bytes = b"", status: str = "200 OK", headers: str = "", length: int | None = None) -> Script:
    """Return a script for one plain response; `length` is the Content-Length it declares, the true one by default."""
    claimed = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Length: {claimed}\r\n{headers}\r\n".encode("latin-1")
    return lambda visit: visit.send(head, body)
