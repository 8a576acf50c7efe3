"""A folder, an SFTP server and a bucket that serve the same files, for sources that a test configures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from django.utils import timezone
from moto.server import ThreadedMotoServer

from ingestion.models import Source
from ingestion.polling.files.tests.sftp_server import private_key_text, serving

Put = Callable[[str, str], object]
MINUTES_OLD = 60


def write(folder: Path, name: str, text: str, *, minutes_ago: float = MINUTES_OLD) -> Path:
    """Write a file as if it had been written some time ago."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    modified = timezone.now().timestamp() - 60 * minutes_ago
    os.utime(path, (modified, modified))
    return path


def table(*minutes: int) -> str:
    """Return a CSV file with a reading of each of these minutes."""
    rows = "".join(f"2026-11-23 10:{minute:02}:00,{minute}\n" for minute in minutes)
    return f"time,temperature (°C)\n{rows}"


@contextmanager
def place_of(source: Source, root: Path) -> Iterator[Put]:
    """Serve the place that a source names; set what only this server can tell, and yield what puts a file there."""
    serve = {"folder": _folder, "sftp": _sftp, "s3": _bucket}[source.ingestion_type]
    with serve(source, root) as put:
        yield put


@contextmanager
def _folder(source: Source, root: Path) -> Iterator[Put]:
    source.url = source.url.replace("/srv", str(root))
    folder = Path(source.url.removeprefix("file://")).parent
    folder.mkdir(parents=True)
    yield lambda name, text: write(folder, name, text)


@contextmanager
def _sftp(source: Source, root: Path) -> Iterator[Put]:
    (root / "exports").mkdir()
    with serving(root) as (port, host_key):
        source.url = source.url.replace("files.example.com:22", f"127.0.0.1:{port}")
        source.host_key = host_key
        if source.credentials_kind == "key":
            source.credentials_secret = private_key_text()
        yield lambda name, text: write(root / "exports", name, text)


@contextmanager
def s3_server() -> Iterator[str]:
    """Run a server that speaks S3 and yield its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@contextmanager
def _bucket(source: Source, root: Path) -> Iterator[Put]:
    with s3_server() as address:
        client = boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="key-1",
            aws_secret_access_key="secret-1",
            config=Config(proxies={}),
        )
        client.create_bucket(Bucket="exports")
        source.endpoint_url = address
        yield lambda name, text: client.put_object(Bucket="exports", Key=f"shop-3/{name}", Body=text.encode())
