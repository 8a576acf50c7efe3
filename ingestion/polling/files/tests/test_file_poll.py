"""Files are loaded once each, whoever sent them and however."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from ingestion.models import Delivery, Source, SourceFile
from ingestion.polling.claims import apply_changes, claim_due, poll_now
from ingestion.polling.files import file_poll
from ingestion.polling.files.file_poll import MAX_FILE_INTERRUPTED, FilePoll
from ingestion.polling.files.store import StoredFile
from ingestion.polling.files.tests.file_servers import table, write
from ingestion.polling.poll import poll
from ingestion.polling.tests.polling import counts, polled
from ingestion.polling.trial import try_source
from readings.models import Reading

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


def polled_when_due() -> list[Delivery]:
    """Poll the only source as it is polled without a person asking for it."""
    (claim,) = claim_due(timezone.now() + timedelta(days=1))
    return poll(claim)


def _disk_is_full(*_: object) -> None:
    raise OperationalError("No space left on device")


class _CanceledError(OperationalError):
    """What PostgreSQL ends a statement with that takes longer than the operator's statement_timeout."""

    pgcode = "57014"


class _OutOfMemoryError(OperationalError):
    pgcode = "53200"


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

    def test_equal_files_that_name_different_units_are_loaded_each(self, folder: Path, source: Source) -> None:
        """Two freezers at the same temperature, each with a file that always holds its last reading."""
        write(folder, "Freezer 1.csv", table(1))
        write(folder, "Freezer 2.csv", table(1), minutes_ago=50)
        polled(source)
        write(folder, "Freezer 1.csv", table(2), minutes_ago=40)
        polled(source)
        write(folder, "Freezer 2.csv", table(2), minutes_ago=30)
        polled(source)

        assert sorted(Reading.objects.values_list("storage_unit__unit_code", "recorded_at__minute")) == [
            ("Freezer 1", 1),
            ("Freezer 1", 2),
            ("Freezer 2", 1),
            ("Freezer 2", 2),
        ]

    def test_equal_files_with_rejected_rows_of_different_units_are_loaded_each(
        self, folder: Path, source: Source
    ) -> None:
        for unit in ("Freezer 1", "Freezer 2"):
            write(folder, f"{unit}.csv", "time,temperature (°C)\n2026-11-23 10:00:00,ERR\n")
        assert [counts(each) for each in polled(source)] == [(0, 0, 0, 1), (0, 0, 0, 1)]

    def test_equal_files_of_the_same_units_are_loaded_once(self, folder: Path, source: Source) -> None:
        rows = "unit_id,time,temperature (°C)\nF1,2026-11-23 10:00:00,4.5\n"
        write(folder, "10h.csv", rows)
        write(folder, "11h.csv", rows, minutes_ago=50)
        assert [counts(each) for each in polled(source)] == [(1, 0, 0, 0)]

    def test_files_being_written_are_left(self, folder: Path, source: Source) -> None:
        write(folder, "F.csv.part", table(1))
        write(folder, ".F.csv", table(1))
        write(folder, "G.csv", table(1), minutes_ago=0)
        assert polled(source) == []

        assert len(polled(source)) == 1  # G has settled

    def test_a_file_that_is_removed_while_the_folder_is_listed_holds_up_no_other(
        self, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its sender renames it, for example, once it is complete."""
        removed = write(folder, "A.csv.part", table(1))
        write(folder, "B.csv", table(2))
        scandir = os.scandir

        @contextmanager
        def list_and_remove(path: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
            with scandir(path) as entries:
                listed = list(entries)
            removed.unlink()
            yield iter(listed)

        with monkeypatch.context() as patch:
            patch.setattr("os.scandir", list_and_remove)
            assert [counts(each) for each in polled(source)] == [(1, 0, 0, 0)]

    def test_a_failed_file_is_logged_tried_again_and_holds_up_no_other(self, folder: Path, source: Source) -> None:
        write(folder, "A.csv", "%PDF-1.4")
        write(folder, "B.csv", table(1), minutes_ago=10)
        failed, loaded = polled(source)
        assert (failed.status, failed.error_reason, loaded.status) == ("failure", "unsupported_file", "success")
        assert polled_when_due() == []

        SourceFile.objects.filter(state="failed").update(retry_at=LONG_AGO)
        write(folder, "A.csv", table(2), minutes_ago=5)
        assert [each.status for each in polled(source)] == ["success"]

    def test_a_failed_file_is_read_at_once_if_the_source_is_changed_or_polled_now(
        self, folder: Path, source: Source
    ) -> None:
        write(folder, "F.csv", "when,what\n2026-11-20 10:00,4.5\n")
        polled(source)
        assert polled_when_due() == []

        poll_now(Source.objects.all())
        assert [each.status for each in polled_when_due()] == ["failure"]

        source.refresh_from_db()
        source.time_field, source.temperature_field = "when", "what"
        source.save()
        apply_changes(source, {"time_field", "temperature_field"})
        assert [each.status for each in polled_when_due()] == ["success"]

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

    def test_an_unexpected_error_of_a_file_is_logged_and_holds_up_no_other(
        self, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Otherwise newer files would never be read, as the oldest one is the first each time."""
        write(folder, "A.csv", table(1))
        write(folder, "B.csv", table(2), minutes_ago=10)
        load_body = FilePoll._load_body

        def fail(self: FilePoll, file: StoredFile, *rest: Any) -> None:
            if file.name == "A.csv":
                raise ZeroDivisionError
            load_body(self, file, *rest)

        monkeypatch.setattr(FilePoll, "_load_body", fail)

        failed, loaded = polled(source)

        assert (Path(failed.source_url).name, failed.error_reason) == ("A.csv", "internal_error")
        assert "ZeroDivisionError" in failed.error_message
        assert (Path(loaded.source_url).name, loaded.status) == ("B.csv", "success")
        assert (SourceFile.objects.get(state="failed").path, source.failures_in_a_row) == (str(folder / "A.csv"), 0)
        assert polled_when_due() == []

    def test_a_setting_by_which_no_file_can_be_read_fails_the_poll(self, folder: Path, source: Source) -> None:
        """Not file by file, each of which would wait for its next attempt after the setting is corrected."""
        write(folder, "A.csv", table(1))
        Source.objects.update(time_zone="Nowhere/Here")
        assert [each.error_reason for each in polled(source)] == ["source_settings"]

        Source.objects.update(time_zone="UTC")
        assert [each.status for each in polled(source)] == ["success"]

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
        assert polled_when_due() == []

    @pytest.mark.parametrize(
        ("error", "message"),
        [(_CanceledError, "The database took too long."), (_OutOfMemoryError, "The database is out of memory.")],
    )
    def test_a_file_that_is_too_much_for_the_database_is_tried_less_often_and_holds_up_no_other(
        self, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch, error: type[Exception], message: str
    ) -> None:
        """Otherwise newer files would never be read, as the oldest one is the first each time."""
        write(folder, "A.csv", table(1))
        write(folder, "B.csv", table(2), minutes_ago=10)
        load_body = FilePoll._load_body

        def ask_too_much(self: FilePoll, file: StoredFile, *rest: Any) -> None:
            if file.name == "A.csv":
                raise error
            load_body(self, file, *rest)

        monkeypatch.setattr(FilePoll, "_load_body", ask_too_much)

        failed, loaded = polled(source)

        assert (Path(failed.source_url).name, failed.status) == ("A.csv", "failure")
        assert failed.error_message.startswith(message)
        assert (Path(loaded.source_url).name, loaded.status) == ("B.csv", "success")
        assert polled_when_due() == []

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

    def test_files_with_names_that_are_shown_alike_are_loaded_each(self, folder: Path, source: Source) -> None:
        """One in UTF-8 and one in cp1252, or two with different bytes that are no characters of it."""
        names = ["Kühlraum.csv".encode(), "Kühlraum.csv".encode("cp1252"), b"\x81.csv", b"\x8d.csv"]
        for minute, name in enumerate(names):
            write(folder, os.fsdecode(name), table(minute), minutes_ago=50 - minute)

        deliveries = polled(source)

        assert [counts(each) for each in deliveries] == [(1, 0, 0, 0)] * 4
        shown = ["Kühlraum.csv", "Kühlraum.csv", "\N{REPLACEMENT CHARACTER}.csv", "\N{REPLACEMENT CHARACTER}.csv"]
        assert [Path(each.source_url).name for each in deliveries] == shown
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
