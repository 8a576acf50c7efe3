"""An import whose worker is killed is stored by the next one, every row once."""

from __future__ import annotations

from pathlib import Path

import pytest

from temperature_site.dev.folder_broker import BROKER_URL
from tests.running_system import running_system, wait_until

pytestmark = pytest.mark.xdist_group("running system")

ROWS = 100_000
UPLOAD = """
from datetime import UTC, datetime, timedelta
from django.core.files.uploadedfile import SimpleUploadedFile
from customers.models import Customer
from ingestion.imports import drafts, uploads
start = datetime(2026, 1, 1, tzinfo=UTC)
rows = "".join(f"{start + timedelta(minutes=number):%%Y-%%m-%%dT%%H:%%M:%%SZ},4.5\\n" for number in range(%d))
file = SimpleUploadedFile("imported.csv", f"time,temp\\n{rows}".encode())
drafts.store(uploads.create_import(Customer.objects.get(customer_code="A"), [file], by="anna"))
"""
LOOK_OFTEN = """
WITH often AS (INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (1, 'seconds') RETURNING id)
UPDATE django_celery_beat_periodictask SET interval_id = often.id, enabled = name = 'Send due imports' FROM often
"""
IS_BEING_STORED = "SELECT count(*) FROM import_file WHERE state = 'waiting' AND read_bytes > 0"
# The lease of a killed worker expires by itself; the test does not wait for that.
EXPIRE = "UPDATE file_import SET lease_until = clock_timestamp()"
STATE = "SELECT state FROM file_import"
STORED = """
SELECT count(*), count(DISTINCT recorded_at) FROM reading JOIN storage_unit ON storage_unit.id = storage_unit_id
WHERE unit_code = 'imported'
"""
DELIVERIES = "SELECT records_stored, records_duplicate FROM delivery WHERE source_url = 'imported.csv'"
COUNTED = """
SELECT sum(reading_count) FROM daily_rollup JOIN storage_unit ON storage_unit.id = storage_unit_id
WHERE unit_code = 'imported'
"""


def test_every_row_is_stored_once_by_the_next_worker(tmp_path: Path) -> None:
    with running_system(BROKER_URL, tmp_path) as system:
        system.manage("shell", "--command", UPLOAD % ROWS)
        system.database.rows(LOOK_OFTEN)
        system.start("beat")
        system.start("slow-worker", "--queues", "main,slow")
        wait_until("rows are stored", lambda: system.database.value(IS_BEING_STORED), seconds=60, look_every=0.02)

        system.kill("slow-worker")
        assert (system.database.value(STATE), system.database.rows(STORED)) == ("storing", [(0, 0)])
        system.database.rows(EXPIRE)
        system.start("slow-worker", "--queues", "main,slow")
        wait_until("the import is stored", lambda: system.database.value(STATE) == "stored", seconds=90)

        assert system.database.rows(STORED) == [(ROWS, ROWS)]
        assert system.database.rows(DELIVERIES) == [(ROWS, 0)]
        assert system.database.value(COUNTED) == ROWS
        assert system.database.value("SELECT attempt_count FROM import_file") == 2
