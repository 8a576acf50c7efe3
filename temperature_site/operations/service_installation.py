"""Install the units: which files and commands that takes, shown first and carried out on request."""

from __future__ import annotations

import pwd
import shlex
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from temperature_site.operations.systemd_units import TARGET, Installation

UNIT_FOLDER = Path("etc/systemd/system")
Change = Literal["new", "changed", "unchanged"]


class InstallationError(Exception):
    """A step of the installation failed; the message says which."""


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A unit to write."""

    path: Path
    text: str

    @property
    def change(self) -> Change:
        """What writing it would do."""
        try:
            return "unchanged" if self.path.read_text(encoding="utf-8") == self.text else "changed"
        except FileNotFoundError:
            return "new"


@dataclass(frozen=True, slots=True)
class Plan:
    """The files to write and the commands to run before and after that."""

    files: Sequence[UnitFile]
    before: Sequence[Sequence[str]]
    after: Sequence[Sequence[str]]

    def lines(self) -> Iterator[str]:
        """Describe what would be done, a line each."""
        yield from (f"run    {shlex.join(command)}" for command in self.before)
        yield from (f"write  {file.path} ({file.change})" for file in self.files)
        yield from (f"run    {shlex.join(command)}" for command in self.after)

    def apply(self) -> None:
        """Do it. Raise InstallationError."""
        for command in self.before:
            _run(command)
        for file in self.files:
            _write(file)
        for command in self.after:
            _run(command)


def plan(units: Mapping[str, str], installation: Installation, *, dest_dir: Path | None = None) -> Plan:
    """Return what installing these units takes; below `dest_dir`, as packages are built, files only."""
    folder = (dest_dir or Path("/")) / UNIT_FOLDER
    files = [UnitFile(folder / name, text) for name, text in units.items()]
    if dest_dir is not None:
        return Plan(files, before=(), after=())
    user, data_dir = installation.user, str(installation.data_dir)
    before: list[Sequence[str]] = []
    if not _has_user(user):
        before.append(["useradd", "--system", "--home-dir", data_dir, "--shell", "/usr/sbin/nologin", user])
    own = ["install", "--directory", f"--owner={user}", f"--group={user}", "--mode=0750"]
    before.append([*own, data_dir])
    # A share exists, and its owner may be the server's to decide.
    if installation.archive_dir is not None and not installation.archive_dir.exists():
        before.append([*own, str(installation.archive_dir)])
    if (environment := installation.root / ".env").exists():
        # It contains the secrets: for root to change, and for the processes to read.
        before += [["chown", f"root:{user}", str(environment)], ["chmod", "0640", str(environment)]]
    return Plan(files, before, after=[["systemctl", "daemon-reload"], ["systemctl", "enable", TARGET]])


def unreachable_folders(path: Path) -> list[Path]:
    """Return the folders on the way to `path` that other users, such as that of the services, cannot enter."""
    return [folder for folder in (path, *path.parents) if not folder.stat().st_mode & stat.S_IXOTH]


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _write(file: UnitFile) -> None:
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_text(file.text, encoding="utf-8")
        file.path.chmod(0o644)
    except OSError as error:
        raise InstallationError(f"{file.path} cannot be written: {error.strerror}. Run this as root.") from error


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, check=True)  # noqa: S603 - fixed programs with paths from the settings
    except (OSError, subprocess.CalledProcessError) as error:
        raise InstallationError(f"{shlex.join(command)} failed: {error}. Run this as root, on systemd.") from error
