"""Where a source's files are: the parts of its URL, by scheme."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from core.crypto.redaction import redact_url
from core.http.servers import InvalidAddress, server_of
from ingestion.sources import SettingError
from ingestion.sources.credentials import CredentialsKind

FOLDER, SFTP, S3 = "folder", "sftp", "s3"
_SCHEMES = {FOLDER: "file", SFTP: "sftp", S3: "s3"}
FILE_TYPES = frozenset(_SCHEMES)
_EXAMPLES = {
    FOLDER: "file:///srv/exports/shop-3/*.csv",
    SFTP: "sftp://files.example.com:22/exports/*.csv",
    S3: "s3://bucket/exports/*.csv",
}
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A folder with a pattern of names. `host` is the server, or the bucket of S3."""

    host: str
    port: int
    folder: str
    pattern: str


def parse_place(kind: str, url: str) -> FilePlace:
    """Return the place that a URL of this kind of source names. Raise SettingError."""
    wrong = SettingError("url", f"The URL must be like {_EXAMPLES[kind]}: a folder, and a pattern of file names.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 22
    except ValueError as error:
        raise wrong from error
    # A bucket's name is case-sensitive, and a hostname is not.
    host = parts.netloc if kind == S3 else host
    if parts.scheme != _SCHEMES[kind] or "@" in parts.netloc or bool(host) == (kind == FOLDER):
        raise wrong
    text = unquote(url.split("://", 1)[1].partition("/")[2])
    path = PurePosixPath("/" + text)
    folder, pattern = str(path.parent), path.name
    if not pattern or "\0" in text or ".." in path.parts or _WILDCARDS & set(folder):
        raise wrong
    return FilePlace(host, port, folder, pattern)


_KINDS = {
    FOLDER: (CredentialsKind.NONE,),
    SFTP: (CredentialsKind.BASIC, CredentialsKind.KEY),
    S3: (CredentialsKind.NONE, CredentialsKind.BASIC),
}


def check_files(ingestion_type: str, url: str, kind: CredentialsKind, host_key: str, endpoint_url: str) -> None:
    """Raise SettingError if a source of files cannot be read with these settings, or another one has them."""
    if ingestion_type not in FILE_TYPES:
        for name, value in (("host_key", host_key), ("endpoint_url", endpoint_url)):
            if value:
                raise SettingError(name, f"{name} only applies to sources of files.")
        if kind == CredentialsKind.KEY:
            raise SettingError("credentials_kind", "credentials_kind “key” only applies to SFTP.")
        return
    parse_place(ingestion_type, url)
    if kind not in _KINDS[ingestion_type]:
        kinds = " or ".join(_KINDS[ingestion_type])
        raise SettingError("credentials_kind", f"credentials_kind must be {kinds} for this type of source.")
    if ingestion_type == SFTP and "ssh-" not in host_key and "ecdsa-" not in host_key:
        raise SettingError("host_key", "host_key must be like “ssh-ed25519 AAAA…”, as ssh-keyscan prints it.")
    if endpoint_url and not _is_web_address(endpoint_url):
        raise SettingError("endpoint_url", "endpoint_url must be like https://s3.example.com.")
    if redact_url(endpoint_url) != endpoint_url or "?" in endpoint_url:
        raise SettingError(
            "endpoint_url",
            "endpoint_url must have no user, parameters or secrets: it is stored as it is. Enter keys as credentials.",
        )


def _is_web_address(url: str) -> bool:
    try:
        return server_of(url).startswith(("https://", "http://"))
    except InvalidAddress:
        return False
