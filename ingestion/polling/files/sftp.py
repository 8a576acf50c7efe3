"""Files on an SFTP server, whose host key is known."""

from __future__ import annotations

import io
import stat
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import IO, Self, cast

import paramiko
from django.conf import settings
from paramiko.pkey import UnknownKeyType
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR

from core.http.addresses import parse_networks, parse_ports
from core.http.guarded_http import FetchFailure, FetchLimits, Guard, connect_to
from ingestion.models import Source
from ingestion.polling.files.store import MAX_LISTED, StoredFile, file_in_folder
from ingestion.polling.request import SourceMisconfigured
from ingestion.sources.credentials import CredentialsKind
from ingestion.sources.file_places import FilePlace

# SFTPError is none of SSH: what arrives is no SFTP, for example a line that a login script prints.
_FAILURES = (paramiko.SSHException, paramiko.SFTPError, OSError, EOFError, UnicodeDecodeError)


class _Client(paramiko.SFTPClient):
    """A client that lists names as they are sent: paramiko's own listing ends at the first that is not UTF-8."""

    def entries(self, folder: str) -> Iterator[tuple[bytes, paramiko.SFTPAttributes]]:
        """Yield the name and the attributes of each entry of a folder. Raise one of _FAILURES."""
        handle = self._answer(CMD_HANDLE, CMD_OPENDIR, folder.encode()).get_binary()
        while True:
            try:
                names = self._answer(CMD_NAME, CMD_READDIR, handle)
            except EOFError:
                break
            for _ in range(names.get_int()):
                name, _text_for_people = names.get_binary(), names.get_binary()
                yield name, paramiko.SFTPAttributes._from_msg(names)  # type: ignore[attr-defined]  # as its listing does
        self._request(CMD_CLOSE, handle)  # type: ignore[attr-defined]  # what all its methods call

    def _answer(self, expected: int, request: int, argument: bytes) -> paramiko.Message:
        kind, message = self._request(request, argument)  # type: ignore[attr-defined]  # what all its methods call
        if kind != expected:
            raise paramiko.SFTPError(f"kind {kind} instead of {expected}")
        return cast("paramiko.Message", message)


class SftpServer:
    """A connection that lasts for a poll; a context manager."""

    def __init__(self, source: Source, place: FilePlace) -> None:
        """Connect and sign in. Raise FetchFailure or SourceMisconfigured."""
        self._place = place
        # By their keys, those of listed files as the system knows them.
        self._names: dict[str, bytes] = {}
        expected = _host_key(source.host_key)
        limits = FetchLimits(
            connect_seconds=settings.SOURCE_CONNECT_SECONDS,
            read_seconds=settings.SOURCE_READ_SECONDS,
            total_seconds=settings.POLL_SOFT_SECONDS,
            ports=parse_ports(settings.OUTGOING_PORTS),
        )
        connected = connect_to(place.host, place.port, Guard(limits, parse_networks(settings.SOURCE_ALLOWED_NETWORKS)))
        self._transport = paramiko.Transport(connected)
        self._transport.banner_timeout = self._transport.auth_timeout = settings.SOURCE_READ_SECONDS
        try:
            self._sign_in(source, expected)
        except _FAILURES as error:
            self._transport.close()
            raise _failure(place.host, error) from error
        except BaseException:
            self._transport.close()
            raise

    def _sign_in(self, source: Source, expected: paramiko.PKey) -> None:
        self._transport.get_security_options().key_types = (expected.get_name(), *_signatures_of(expected))
        self._transport.start_client(timeout=settings.SOURCE_READ_SECONDS)
        if self._transport.get_remote_server_key().asbytes() != expected.asbytes():
            message = f"{self._place.host} has another host key than the source's. It may not be the same server."
            raise FetchFailure("host_key_changed", message)
        credentials = source.credentials
        if credentials.kind == CredentialsKind.KEY:
            self._transport.auth_publickey(credentials.name, _private_key(credentials.secret))
        else:
            self._transport.auth_password(credentials.name, credentials.secret, fallback=False)
        client = _Client.from_transport(self._transport)
        if client is None:
            raise FetchFailure("connection_failed", f"{self._place.host} offers no SFTP.")
        client.get_channel().settimeout(settings.SOURCE_READ_SECONDS)  # type: ignore[union-attr]  # it is open
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._transport.close()

    def list(self) -> Iterator[StoredFile]:
        """Yield the folder's regular files. Raise FetchFailure."""
        try:
            for count, (name, entry) in enumerate(self._client.entries(self._place.folder)):
                if count >= MAX_LISTED:
                    raise FetchFailure("too_large", f"The folder has more than {MAX_LISTED:,} entries.")
                if stat.S_ISREG(entry.st_mode or 0) and b"/" not in name and name not in (b".", b".."):
                    yield self._described(name, entry)
        except _FAILURES as error:
            raise _failure(self._place.host, error) from error

    def _described(self, name: bytes, entry: paramiko.SFTPAttributes) -> StoredFile:
        modified_at = datetime.fromtimestamp(entry.st_mtime or 0, UTC)
        file = file_in_folder(self._place.folder, name, entry.st_size, modified_at)
        self._names[file.key] = name
        return file

    @contextmanager
    def open(self, file: StoredFile) -> Iterator[IO[bytes]]:
        """Open a listed file. Raise FetchFailure."""
        try:
            name = self._names.get(file.key, file.name.encode())
            with self._client.open(self._place.folder.rstrip("/").encode() + b"/" + name, "rb") as opened:
                opened.prefetch(file.size_bytes)
                yield cast("IO[bytes]", opened)
        except _FAILURES as error:
            raise _failure(self._place.host, error) from error


def _host_key(text: str) -> paramiko.PKey:
    """Return the key in a line such as “ssh-ed25519 AAAA…”, with or without a host in front of it."""
    words = text.split()
    for kind, data in pairwise(words):
        if kind.startswith(("ssh-", "ecdsa-")):
            try:
                return paramiko.PKey.from_type_string(kind, b64decode(data, validate=True))
            except (paramiko.SSHException, UnknownKeyType, ValueError) as error:
                raise SourceMisconfigured("host_key is not a public key that SSH servers use.") from error
    raise SourceMisconfigured("host_key must be like “ssh-ed25519 AAAA…”, as ssh-keyscan prints it.")


def _signatures_of(key: paramiko.PKey) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if key.get_name() == "ssh-rsa" else ()


def _private_key(text: str) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text))
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise SourceMisconfigured("The credentials' secret must be a private key without a passphrase, in OpenSSH format.")


def _failure(host: str, error: Exception) -> FetchFailure:
    match error:
        case paramiko.AuthenticationException():
            return FetchFailure("sign_in_refused", f"{host} refused the credentials.")
        case FileNotFoundError():
            return FetchFailure("not_found", f"{host} has no such file or folder.")
        case PermissionError():
            return FetchFailure("not_readable", f"{host} does not allow it to be read.")
        case TimeoutError():
            return FetchFailure("timeout", f"{host} did not respond in time.")
        case UnicodeDecodeError():
            return FetchFailure("connection_failed", f"{host} answered with text that is not UTF-8.")
        case paramiko.SFTPError():
            return FetchFailure("connection_failed", f"{host} answered with something else than SFTP.")
        case paramiko.SSHException():
            return FetchFailure("connection_failed", f"{host} and this system could not agree on a connection.")
        case _:
            return FetchFailure("connection_failed", f"{host} closed the connection.")
