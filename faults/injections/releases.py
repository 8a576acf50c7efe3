"""The release before the last migration works beside this one; a backup is taken while readings are stored."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path

from django.conf import settings

from faults.fault import CannotInject, Fault
from faults.starting import run_beside
from faults.trial import Trial
from tests.collected import LATEST_ASTRAY, ROLLUPS_ASTRAY
from tests.databases import Database
from tests.running_system import PROCFILE

BESIDE_SECONDS = 30.0
EARLIER_PROCESSES = ("worker", "message-worker", "slow-worker")
LAST_MIGRATION = ["git", "log", "-1", "--format=%H", "--diff-filter=A", "--", "*/migrations/0*.py"]
HELD_UNITS = "SELECT unit_code FROM storage_unit WHERE id IN (SELECT storage_unit_id FROM reading)"


def run_the_earlier_release(trial: Trial, _: random.Random) -> None:
    """Run the workers of the commit before the last migration beside those of this one, on this one's tables."""
    folder = trial.system.folder / "earlier-release"
    shutil.rmtree(folder, ignore_errors=True)
    _extract(_git(LAST_MIGRATION) + "^", folder)
    processes = [run_beside(trial.system, PROCFILE[name], folder=folder) for name in EARLIER_PROCESSES]
    time.sleep(BESIDE_SECONDS)
    if ended := [name for name, each in zip(EARLIER_PROCESSES, processes, strict=True) if each.poll() is not None]:
        trial.findings.append(f"processes of the earlier release have ended: {', '.join(ended)}")
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(60)


def back_up_and_restore(trial: Trial, _: random.Random) -> None:
    """Back up while readings are stored, restore into another database, and compare that with this one."""
    assert trial.postgres is not None
    folder = trial.system.folder / "backups"
    acknowledged = set(trial.gateway.acknowledged)
    trial.system.manage("backup", str(folder))
    backup = max(folder.iterdir())
    trial.postgres.execute("DROP DATABASE IF EXISTS restored")
    trial.postgres.execute("CREATE DATABASE restored")
    restored = Database(trial.system.database.url.replace("/temperature", "/restored"))
    trial.system.manage("restore", str(backup), DATABASE_URL=restored.url)
    _compare(trial, restored, acknowledged)
    trial.postgres.execute("DROP DATABASE restored")
    shutil.rmtree(folder)


def _compare(trial: Trial, restored: Database, acknowledged: set[str]) -> None:
    """Note what is wrong with a restored database."""
    units = {unit for (unit,) in restored.rows(HELD_UNITS)}
    if missing := acknowledged - units:
        trial.findings.append(f"{len(missing)} units acknowledged before the backup are not in it")
    if astray := [*restored.rows(ROLLUPS_ASTRAY), *restored.rows(LATEST_ASTRAY)]:
        trial.findings.append(f"roll-ups or latest readings of {len(astray)} restored units are wrong")


def _extract(commit: str, folder: Path) -> None:
    """Write the files of a commit into a folder, with a link to this one's virtual environment."""
    folder.mkdir()
    archive = subprocess.Popen(["git", "archive", commit], cwd=settings.BASE_DIR, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", str(folder)], stdin=archive.stdout, check=True)
    archive.wait()
    (folder / ".venv").symlink_to((settings.BASE_DIR / ".venv").resolve())


def _git(command: list[str]) -> str:
    try:
        ended = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotInject("this is no clone of the Git repository, so the earlier release is not known") from error
    return ended.stdout.strip()


FAULTS = [
    Fault("workers of the release before the last migration run", run_the_earlier_release, tries=1),
    Fault("a backup is taken and restored while storing", back_up_and_restore, tries=2),
]
