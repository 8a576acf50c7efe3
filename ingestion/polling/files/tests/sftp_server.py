"""An SFTP server on the loopback that serves a folder to one user."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.sftp import SFTP_NO_SUCH_FILE

USER, PASSWORD = "collector", "pass-1"
# The one that may sign in, with the user's public key at the server.
PRIVATE_KEY = paramiko.ECDSAKey.generate()


def private_key_text(key: paramiko.PKey = PRIVATE_KEY) -> str:
    """Return a private key as OpenSSH stores it."""
    text = io.StringIO()
    key.write_private_key(text)
    return text.getvalue()


class _Access(paramiko.ServerInterface):
    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL if (username, password) == (USER, PASSWORD) else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL if (username, key.asbytes()) == (USER, PRIVATE_KEY.asbytes()) else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"


def described(entry: Path) -> paramiko.SFTPAttributes:
    """Return what the server tells about a file. Its name is bytes, as on most servers."""
    return paramiko.SFTPAttributes.from_stat(os.lstat(entry), os.fsencode(entry.name))  # type: ignore[arg-type]  # bytes do


def _files_of(folder: Path) -> type[paramiko.SFTPServerInterface]:
    class Files(paramiko.SFTPServerInterface):
        def _local(self, path: str) -> Path:
            return folder / path.lstrip("/")

        def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
            if not self._local(path).is_dir():
                return SFTP_NO_SUCH_FILE
            return [described(entry) for entry in self._local(path).iterdir()]

        def stat(self, path: str) -> paramiko.SFTPAttributes | int:
            return paramiko.SFTPAttributes.from_stat(self._local(path).stat())

        def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
            handle = paramiko.SFTPHandle(flags)
            handle.readfile = self._local(path).open("rb")  # type: ignore[attr-defined]  # how paramiko's handles read
            return handle

    return Files


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, str]]:
    """Serve a folder; yield the port and the host key as a line of known_hosts."""
    key = paramiko.ECDSAKey.generate()
    listener = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _files_of(folder))
            transports.append(transport)
            try:
                transport.start_server(server=_Access())
            except (paramiko.SSHException, EOFError):
                continue  # the client has left, which some tests are about

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], f"{key.get_name()} {key.get_base64()}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for transport in transports:
            transport.close()
