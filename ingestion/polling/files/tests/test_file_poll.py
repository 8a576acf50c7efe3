"""Files in folders, on SFTP servers and in buckets are loaded once each, whoever sent them and however."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import paramiko
import pytest
from botocore.config import Config
from celery.exceptions import SoftTimeLimitExceeded
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from ingestion.models import Delivery, Source, SourceFile
from ingestion.polling.claims import claim_due, poll_now
from ingestion.polling.files import file_poll
from ingestion.polling.files.file_poll import MAX_FILE_INTERRUPTED, FilePoll
from ingestion.polling.files.store import StoredFile
from ingestion.polling.files.tests.file_servers import s3_server, write
from ingestion.polling.files.tests.sftp_server import PASSWORD, USER, private_key_text, serving
from ingestion.polling.poll import poll
from ingestion.polling.tests.polling import counts, polled
from ingestion.polling.trial import try_source
from readings.models import Reading
from tests.factories import SourceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback_allowed")]

LONG_AGO = timezone.now() - timedelta(hours=1)


class _Killed(BaseException):
    """Ends the poll like a killed process: no handler of exceptions runs."""


def interrupt_a_poll(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the worker while it loads the first file, and let the lease expire."""

    def end_process(*_: object) -> None:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(FilePoll, "_load_body", end_process)
        with pytest.raises(_Killed):
            polled(source)
    Source.objects.filter(pk=source.pk).update(claim_id=None, lease_until=None)


def _disk_is_full(*_: object) -> None:
    raise OperationalError("No space left on device")


def table(*minutes: int) -> str:
    rows = "".join(f"2026-11-23 10:{minute:02}:00,{minute}\n" for minute in minutes)
    return f"time,temperature (°C)\n{rows}"


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    return folder


@pytest.fixture
def source(folder: Path) -> Source:
    return SourceFactory(ingestion_type="folder", url=f"file://{folder}/*.csv")


class TestFolder:
    """What holds for every place of files, shown with a folder."""

    def test_each_file_is_a_delivery_oldest_first_with_its_name_as_unit(self, folder: Path, source: Source) -> None:
        write(folder, "Freezer 2.csv", table(1, 2), minutes_ago=10)
        write(folder, "Freezer 1.csv", table(1), minutes_ago=20)
        write(folder, "notes.txt", "no table")

        deliveries = polled(source)

        assert [Path(each.source_url).name for each in deliveries] == ["Freezer 1.csv", "Freezer 2.csv"]
        assert [counts(each) for each in deliveries] == [(1, 0, 0, 0), (2, 0, 0, 0)]
        assert all(len(each.content_hash) == 64 for each in deliveries)
        assert (source.failures_in_a_row, source.claim_id) == (0, None)
        assert polled(source) == []

    def test_a_moved_copy_is_not_loaded_and_a_grown_file_is_read_again(self, folder: Path, source: Source) -> None:
        path = write(folder, "F.csv", table(1))
        polled(source)
        path.rename(folder / "G.csv")
        assert polled(source) == []

        write(folder, "G.csv", table(1, 2), minutes_ago=30)
        assert [counts(each)[0] for each in polled(source)] == [2]  # G is another unit than F

    def test_files_being_written_are_left(self, folder: Path, source: Source) -> None:
        write(folder, "F.csv.part", table(1))
        write(folder, ".F.csv", table(1))
        write(folder, "G.csv", table(1), minutes_ago=0)
        assert polled(source) == []

        assert len(polled(source)) == 1  # G has settled

    def test_a_failed_file_is_logged_tried_again_and_holds_up_no_other(self, folder: Path, source: Source) -> None:
        write(folder, "A.csv", "%PDF-1.4")
        write(folder, "B.csv", table(1), minutes_ago=10)
        failed, loaded = polled(source)
        assert (failed.status, failed.error_reason, loaded.status) == ("failure", "unsupported_file", "success")
        assert polled(source) == []

        SourceFile.objects.filter(state="failed").update(retry_at=LONG_AGO)
        write(folder, "A.csv", table(2), minutes_ago=5)
        assert [each.status for each in polled(source)] == ["success"]

    def test_a_file_that_ends_its_worker_is_named_and_holds_up_no_other(
        self, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(folder, "A.csv", table(1))
        write(folder, "B.csv", table(2), minutes_ago=10)
        for _ in range(MAX_FILE_INTERRUPTED):
            interrupt_a_poll(source, monkeypatch)

        left_out, loaded = polled(source)

        assert (left_out.source_url, left_out.error_reason, loaded.status) == (str(path), "interrupted", "success")
        assert "A.csv has ended its worker 3 times" in left_out.error_message
        assert source.polls_begun == 0
        (scheduled,) = claim_due(timezone.now() + timedelta(days=1))
        assert poll(scheduled) == []

        poll_now(Source.objects.all())
        (scheduled,) = claim_due()
        assert [each.status for each in poll(scheduled)] == ["success"]

    def test_a_file_whose_worker_survives_is_tried_again(
        self, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(folder, "A.csv", table(1))
        with monkeypatch.context() as patch:
            patch.setattr(FilePoll, "_load_body", _disk_is_full)
            for _ in range(MAX_FILE_INTERRUPTED + 1):
                with pytest.raises(OperationalError):
                    polled(source)

        assert [each.status for each in polled(source)] == ["success"]

    def test_a_grown_file_whose_worker_is_killed_is_read_all_the_same(
        self, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(folder, "A.csv", table(1))
        polled(source)
        write(folder, "A.csv", table(1, 2), minutes_ago=10)
        interrupt_a_poll(source, monkeypatch)

        assert [counts(each)[0] for each in polled(source)] == [1]

    def test_files_beyond_what_a_poll_reads_are_read_by_the_next_ones_though_the_others_stay(
        self, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A folder from which nothing is ever removed must not end being read once it is large."""
        monkeypatch.setattr(file_poll, "MAX_READ", 2)
        for number in range(5):
            write(folder, f"F{number}.csv", table(number), minutes_ago=50 - number)

        assert [len(polled(source)) for _ in range(4)] == [2, 2, 1, 0]

        write(folder, "F9.csv", table(9), minutes_ago=5)
        assert [Path(each.source_url).name for each in polled(source)] == ["F9.csv"]

    def test_a_file_that_takes_too_long_is_tried_less_often_and_holds_up_no_other(
        self, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Otherwise newer files would never be read, as the oldest one is the first each time."""
        write(folder, "A.csv", table(1))
        write(folder, "B.csv", table(2), minutes_ago=10)
        load_body = FilePoll._load_body

        def take_too_long(self: FilePoll, file: StoredFile, *rest: Any) -> None:
            if file.name == "A.csv":
                raise SoftTimeLimitExceeded
            load_body(self, file, *rest)

        monkeypatch.setattr(FilePoll, "_load_body", take_too_long)

        failed, loaded = polled(source)
        assert (Path(failed.source_url).name, failed.error_reason) == ("A.csv", "timeout")
        assert (Path(loaded.source_url).name, loaded.status) == ("B.csv", "success")
        assert polled(source) == []

    def test_an_equal_file_is_another_measurement_if_its_rows_have_no_time(self, folder: Path, source: Source) -> None:
        """A file with the current value, which is written again and again."""
        Source.objects.update(time_field="=received")
        source.refresh_from_db()
        for minutes_ago in (30, 20, 10):
            write(folder, "F.csv", "temperature (°C)\n4.5\n", minutes_ago=minutes_ago)
            assert [counts(each) for each in polled(source)] == [(1, 0, 0, 0)]
        assert polled(source) == []

    def test_a_name_in_another_encoding_holds_up_no_other_file(self, folder: Path, source: Source) -> None:
        """Names are bytes; systems that are older than UTF-8 still write others."""
        write(folder, "A.csv", table(1))
        (folder / "A.csv").rename(os.fsdecode(os.fsencode(folder) + "/Kühlraum.csv".encode("cp1252")))
        write(folder, "B.csv", table(2), minutes_ago=10)

        first, second = polled(source)

        assert [counts(each) for each in (first, second)] == [(1, 0, 0, 0), (1, 0, 0, 0)]
        assert Path(first.source_url).name == "Kühlraum.csv"
        assert polled(source) == []

    def test_a_trial_previews_the_newest_file_and_stores_nothing(self, folder: Path, source: Source) -> None:
        assert try_source(source).preview.error_reason == "not_found"
        write(folder, "A.csv", table(1), minutes_ago=20)
        write(folder, "B.csv", table(1, 2))
        write(folder, "C.csv", table(1, 2, 3), minutes_ago=10)

        trial = try_source(source)

        assert (Path(trial.url).name, trial.preview.reading_count, trial.is_success) == ("C.csv", 3, True)
        assert not Delivery.objects.exists()

    def test_a_large_file_is_refused(self, folder: Path, source: Source, settings: Settings) -> None:
        settings.SOURCE_MAX_BYTES = 10
        write(folder, "A.csv", table(1))
        assert [each.error_reason for each in polled(source)] == ["too_large"]

    def test_links_and_folders_elsewhere_are_not_read(self, folder: Path, source: Source, tmp_path: Path) -> None:
        secret = write(tmp_path, "secret.csv", table(1))
        (folder / "link.csv").symlink_to(secret)
        assert polled(source) == []

        (tmp_path / "outside").symlink_to("/etc")
        for place in ("/etc", tmp_path / "outside", tmp_path.parent):
            Source.objects.update(url=f"file://{place}/*")
            assert [each.error_reason for each in polled(source)] == ["source_settings"]
        assert Reading.objects.count() == 0


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

    def test_a_name_in_another_encoding_is_told(self, served: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        def list_folder(*_: object) -> None:
            b"K\xfchlraum.csv".decode()

        monkeypatch.setattr(paramiko.SFTPClient, "listdir_iter", list_folder)

        (delivery,) = polled(served)

        assert delivery.error_reason == "not_readable"
        assert "not UTF-8" in delivery.error_message

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
