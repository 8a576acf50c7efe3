"""SFTP servers and buckets: their files are loaded once, their failures named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import boto3
import paramiko
import pytest
from botocore.config import Config
from django.core.exceptions import ValidationError
from pytest_django import Settings

from ingestion.models import Delivery, Source
from ingestion.polling.files.tests import sftp_server
from ingestion.polling.files.tests.file_servers import s3_server, table, write
from ingestion.polling.files.tests.sftp_server import PASSWORD, USER, private_key_text, serving
from ingestion.polling.tests.polling import counts, polled
from tests.factories import SourceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback_allowed")]


class TestSftp:
    """A real SSH connection to a server with a known host key."""

    @pytest.fixture
    def served(self, folder: Path) -> Iterator[Source]:
        with serving(folder) as (port, host_key):
            yield SourceFactory(
                ingestion_type="sftp",
                url=f"sftp://127.0.0.1:{port}/*.csv",
                credentials_kind="basic",
                credentials_name=USER,
                credentials_secret=PASSWORD,
                host_key=host_key,
            )

    def test_files_are_loaded_once(self, folder: Path, served: Source) -> None:
        served.full_clean()
        write(folder, "F.csv", table(1, 2))
        (folder / "link.csv").symlink_to("/etc/passwd")

        assert [counts(each) for each in polled(served)] == [(2, 0, 0, 0)]
        assert polled(served) == []

    def test_a_private_key_signs_in(self, folder: Path, served: Source) -> None:
        write(folder, "F.csv", table(1))
        served.credentials_kind, served.credentials_secret = "key", private_key_text()
        served.full_clean()
        served.save()
        assert [counts(each)[0] for each in polled(served)] == [1]

        served.credentials_secret = private_key_text(paramiko.ECDSAKey.generate())
        served.save()
        assert [each.error_reason for each in polled(served)] == ["sign_in_refused"]

    def test_another_host_key_gets_no_signature(self, served: Source) -> None:
        other = paramiko.ECDSAKey.generate()
        served.credentials_kind, served.credentials_secret = "key", private_key_text()
        served.host_key = f"{other.get_name()} {other.get_base64()}"
        served.save()
        assert [each.error_reason for each in polled(served)] == ["host_key_changed"]

    def test_another_host_key_gets_no_password(self, folder: Path, served: Source) -> None:
        other = paramiko.ECDSAKey.generate()
        Source.objects.update(host_key=f"{other.get_name()} {other.get_base64()}")
        assert [each.error_reason for each in polled(served)] == ["host_key_changed"]

    def test_a_wrong_password_and_a_missing_folder_are_named(self, served: Source) -> None:
        Source.objects.update(url=served.url.replace("/*.csv", "/missing/*.csv"))
        assert [each.error_reason for each in polled(served)] == ["not_found"]
        served.credentials_secret = "wrong"
        served.save(update_fields=["credentials_secret"])
        assert [each.error_reason for each in polled(served)] == ["sign_in_refused"]

    def test_a_name_in_another_encoding_holds_up_no_other_file(
        self, folder: Path, served: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Names are bytes; systems that are older than UTF-8 still write others."""
        monkeypatch.setattr("paramiko.message.u", os.fsdecode)  # of the server, which takes paths for UTF-8
        write(folder, "A.csv", table(1))
        (folder / "A.csv").rename(os.fsdecode(os.fsencode(folder) + "/Kühlraum.csv".encode("cp1252")))
        write(folder, "B.csv", table(2), minutes_ago=10)

        first, second = polled(served)

        assert [counts(each) for each in (first, second)] == [(1, 0, 0, 0), (1, 0, 0, 0)]
        assert Path(first.source_url).name == "Kühlraum.csv"
        assert polled(served) == []

    def test_files_with_names_that_are_shown_alike_are_loaded_each(
        self, folder: Path, served: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("paramiko.message.u", os.fsdecode)  # of the server, which takes paths for UTF-8
        for minute, encoding in enumerate(["utf-8", "cp1252"]):
            write(folder, os.fsdecode("Kühlraum.csv".encode(encoding)), table(minute), minutes_ago=50 - minute)

        assert [counts(each) for each in polled(served)] == [(1, 0, 0, 0)] * 2
        assert polled(served) == []

    def test_an_impossible_size_fails_that_file_only(
        self, folder: Path, served: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A size that no column holds; names and sizes are the server's."""
        write(folder, "A.csv", table(1))
        write(folder, "B.csv", table(2), minutes_ago=10)
        describe = sftp_server.described

        def describe_wrongly(entry: Path) -> paramiko.SFTPAttributes:
            told = describe(entry)
            if entry.name == "A.csv":
                told.st_size = 2**64 - 1
            return told

        monkeypatch.setattr(sftp_server, "described", describe_wrongly)

        failed, loaded = polled(served)

        assert (failed.error_reason, loaded.status) == ("too_large", "success")

    @pytest.mark.parametrize(
        "host_key", ["ssh-dss AAAAB3NzaC1kc3M=", "ssh-ed25519 AAAA", "ssh-rsa AAAA", "ecdsa-x AAAA"]
    )
    def test_a_host_key_of_no_known_kind_is_named(self, served: Source, host_key: str) -> None:
        Source.objects.update(host_key=host_key)
        assert [each.error_reason for each in polled(served)] == ["source_settings"]

    def test_a_server_that_answers_with_something_else_than_sftp_fails(
        self, served: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A login script that prints a line, for example."""

        def negotiate(*_: object) -> None:
            raise paramiko.SFTPError("Incompatible sftp protocol")

        monkeypatch.setattr(paramiko.SFTPClient, "_send_version", negotiate)
        assert [each.error_reason for each in polled(served)] == ["connection_failed"]

    def test_addresses_are_checked(self, served: Source, settings: Settings) -> None:
        settings.SOURCE_ALLOWED_NETWORKS = []
        assert [each.error_reason for each in polled(served)] == ["address_not_allowed"]


class TestS3:
    """A server that speaks S3."""

    @pytest.fixture
    def put(self) -> Iterator[Callable[..., Source]]:
        """Put objects into a bucket; return a source that reads it."""
        with ExitStack() as stack:
            endpoint_url = stack.enter_context(s3_server())
            client = boto3.client(
                "s3",
                endpoint_url=endpoint_url,
                region_name="us-east-1",
                aws_access_key_id="key-1",
                aws_secret_access_key="secret-1",
                config=Config(proxies={}),
            )
            client.create_bucket(Bucket="exports")

            def make(**objects: str) -> Source:
                for name, text in objects.items():
                    client.put_object(Bucket="exports", Key=f"shop 3/{name}.csv", Body=text.encode())
                return SourceFactory(
                    ingestion_type="s3",
                    url="s3://exports/shop%203/*.csv",
                    credentials_kind="basic",
                    credentials_name="key-1",
                    credentials_secret="secret-1",
                    endpoint_url=endpoint_url,
                )

            yield make

    def test_objects_are_loaded_once(self, put: Callable[..., Source]) -> None:
        source = put(F=table(1, 2), G=table(3))
        source.full_clean()
        assert polled(source) == []  # just written

        assert sorted(counts(each)[0] for each in polled(source)) == [1, 2]
        assert polled(source) == []
        assert Delivery.objects.filter(source=source).count() == 2

    def test_a_missing_bucket_and_a_forbidden_address_fail(
        self, put: Callable[..., Source], settings: Settings
    ) -> None:
        source = put()
        Source.objects.update(url="s3://missing/*.csv")
        assert [each.error_reason for each in polled(source)] == ["not_found"]
        settings.SOURCE_ALLOWED_NETWORKS = []
        assert [each.error_reason for each in polled(source)] == ["connection_failed"]
        Source.objects.update(endpoint_url="http://[not an address")
        assert [each.error_reason for each in polled(source)] == ["source_settings"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"ingestion_type": "folder", "url": "file:///srv/../etc/*"}, "url"),
        ({"ingestion_type": "folder", "url": "file://host/srv/*"}, "url"),
        ({"ingestion_type": "folder", "url": "https://a/*"}, "url"),
        ({"ingestion_type": "folder", "url": "file:///srv/*/a.csv"}, "url"),
        ({"ingestion_type": "sftp", "url": "sftp://u:p@a/b/*", "credentials_kind": "basic"}, "url"),
        ({"ingestion_type": "sftp", "url": "sftp://a/b/*", "credentials_kind": "basic"}, "host_key"),
        ({"ingestion_type": "sftp", "url": "sftp://a/b/*"}, "credentials_kind"),
        ({"ingestion_type": "s3", "url": "s3://b/*", "endpoint_url": "ftp://a"}, "endpoint_url"),
        ({"ingestion_type": "s3", "url": "s3://b/*", "endpoint_url": "https://key:secret@a"}, "endpoint_url"),
        ({"ingestion_type": "s3", "url": "s3://b/*", "endpoint_url": "https://a?key=secret"}, "endpoint_url"),
        ({"ingestion_type": "s3", "url": "s3://b/*", "endpoint_url": "https://a/key/secret"}, "endpoint_url"),
        ({"ingestion_type": "s3", "url": "s3://b/*", "endpoint_url": "https://a#secret"}, "endpoint_url"),
        ({"host_key": "ssh-rsa AAAA"}, "host_key"),
    ],
)
def test_invalid_settings_are_rejected_by_name(fields: dict[str, str], name: str) -> None:
    with pytest.raises(ValidationError) as raised:
        SourceFactory.build(customer=SourceFactory().customer, **fields).full_clean()

    assert list(raised.value.message_dict) == [name]
