"""Objects in a bucket of S3 or of a server that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from django.conf import settings

from core.http.addresses import parse_networks, parse_ports
from core.http.guarded_http import FetchFailure
from core.http.guarded_requests import guarded
from ingestion.models import Source
from ingestion.polling.files.store import MAX_LISTED, StoredFile, listed_size
from ingestion.polling.request import SourceMisconfigured
from ingestion.sources.credentials import CredentialsKind
from ingestion.sources.file_places import FilePlace

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_DENIED = frozenset({"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_MISSING = frozenset({"404", "NoSuchBucket", "NoSuchKey"})


class Bucket:
    """A bucket with a prefix. Its requests lead to allowed addresses and ports only."""

    def __init__(self, source: Source, place: FilePlace) -> None:
        self._place = place
        self._prefix = place.folder.strip("/") + "/" if place.folder != "/" else ""
        credentials = source.credentials
        is_signed = credentials.kind == CredentialsKind.BASIC
        # Always explicit: nothing is taken from the environment, or from the metadata of a virtual machine.
        session = boto3.session.Session(
            aws_access_key_id=credentials.name or "none", aws_secret_access_key=credentials.secret or "none"
        )
        try:
            self._client: S3Client = self._connect(session, source, is_signed=is_signed)
        except ValueError as error:
            raise SourceMisconfigured("endpoint_url is no address of a server that speaks S3.") from error

    @staticmethod
    def _connect(session: boto3.session.Session, source: Source, *, is_signed: bool) -> S3Client:
        client: S3Client = session.client(
            "s3",
            endpoint_url=source.endpoint_url or None,
            region_name=source.region or "us-east-1",
            config=Config(
                signature_version="s3v4" if is_signed else UNSIGNED,
                connect_timeout=settings.SOURCE_CONNECT_SECONDS,
                read_timeout=settings.SOURCE_READ_SECONDS,
                retries={"max_attempts": 1},
                proxies={},
                # Servers other than AWS have no name for each bucket.
                s3={"addressing_style": "path"} if source.endpoint_url else {"addressing_style": "auto"},
            ),
        )
        return client

    def list(self) -> Iterator[StoredFile]:
        """Yield the objects directly below the prefix. Raise FetchFailure."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._place.host, Prefix=self._prefix, Delimiter="/"
        )
        count = 0
        with self._guarded():
            for page in pages:
                for item in page.get("Contents", ()):
                    count += 1
                    if count > MAX_LISTED:
                        raise FetchFailure("too_large", f"The folder has more than {MAX_LISTED:,} entries.")
                    name = item["Key"].removeprefix(self._prefix)
                    yield StoredFile(item["Key"], item["Key"], name, listed_size(item["Size"]), item["LastModified"])

    @contextmanager
    def open(self, file: StoredFile) -> Iterator[IO[bytes]]:
        """Open a listed object. Raise FetchFailure."""
        with self._guarded():
            body = self._client.get_object(Bucket=self._place.host, Key=file.path)["Body"]
            try:
                yield cast("IO[bytes]", body)
            finally:
                body.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        networks = parse_networks(settings.SOURCE_ALLOWED_NETWORKS)
        try:
            with guarded(networks, parse_ports(settings.OUTGOING_PORTS)):
                yield
        except ClientError as error:
            raise _failure(self._place.host, error) from error
        except (BotoCoreError, HTTPClientError, OSError) as error:
            message = (
                f"The server of the bucket {self._place.host} could not be reached, or its address is not allowed."
            )
            raise FetchFailure("connection_failed", message) from error


def _failure(bucket: str, error: ClientError) -> FetchFailure:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in _DENIED:
        return FetchFailure("sign_in_refused", f"The bucket {bucket} refused the access key.")
    if code in _MISSING:
        return FetchFailure("not_found", f"There is no bucket {bucket}, or the object was removed.")
    return FetchFailure("connection_failed", f"The server of the bucket {bucket} answered with the error {code[:100]}.")
