"""systemd units for the processes of the Procfile, sandboxed, and the target that starts all of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from honcho.environ import parse_procfile

TARGET = "temperature.target"
# The simulated customers are part of the demo only.
NOT_IN_PRODUCTION = frozenset({"simulator"})
# A worker finishes its tasks first, which may take POLL_HARD_SECONDS.
STOP_SECONDS = 90

TARGET_UNIT = """\
[Unit]
Description=Temperature Monitoring System
Wants={services}

[Install]
WantedBy=multi-user.target
"""

SERVICE_UNIT = """\
[Unit]
Description=Temperature Monitoring System: {name}
PartOf={target}
Wants=network-online.target
After=network-online.target postgresql.service rabbitmq-server.service
# A database or broker that is away for hours must not end the attempts.
StartLimitIntervalSec=0

[Service]
Type=exec
User={user}
Group={user}
WorkingDirectory={root}
ExecStart={command}
Environment=PYTHONUNBUFFERED=1
Restart=always
RestartSec=5
# The main process alone is asked to stop: it ends its children itself.
KillMode=mixed
TimeoutStopSec={stop_seconds}
UMask=0027
LimitNOFILE=65536

# Writable: the data directory and a private /tmp.
ProtectSystem=strict
ReadWritePaths={writable}
ProtectHome=read-only
PrivateTmp=true
PrivateDevices=true

NoNewPrivileges=true
CapabilityBoundingSet=
AmbientCapabilities=
LockPersonality=true
ProtectClock=true
ProtectControlGroups=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectProc=invisible
RemoveIPC=true
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the system is installed, where it stores files, and the system user that runs it.

    archive_dir: the folder of archived readings, if it is not in the data directory.
    """

    root: Path
    data_dir: Path
    user: str
    archive_dir: Path | None = None


# The installation that the documentation describes, and that the units in deploy/systemd belong to.
DOCUMENTED = Installation(Path("/opt/temperature"), Path("/var/lib/temperature"), "temperature")


def unit_files(procfile: str, installation: Installation) -> dict[str, str]:
    """Return the units of a Procfile's processes and their target: the text of each, by file name."""
    commands = {
        name: command for name, command in parse_procfile(procfile).processes.items() if name not in NOT_IN_PRODUCTION
    }
    services = {f"temperature-{name}.service": (name, command) for name, command in commands.items()}
    return {TARGET: TARGET_UNIT.format(services=" ".join(services))} | {
        file: SERVICE_UNIT.format(
            name=name,
            command=" ".join(_quoted(word) for word in _command_line(command, installation.root)),
            target=TARGET,
            user=installation.user,
            root=_literal(installation.root),
            writable=" ".join(_quoted(path) for path in _writable(installation)),
            stop_seconds=STOP_SECONDS,
        )
        for file, (name, command) in services.items()
    }


def _writable(installation: Installation) -> Iterator[str]:
    yield str(installation.data_dir)
    if installation.archive_dir is not None:
        # A share that is not mounted must not keep the processes from starting.
        yield f"-{installation.archive_dir}"


def _command_line(command: str, root: Path) -> Iterator[str]:
    """Yield the words of a Procfile's command, with the path of the program made absolute, as systemd requires."""
    program, *arguments = shlex.split(command)
    yield str(root / program)
    yield from arguments


def _quoted(word: str) -> str:
    """Quote a word for a line that systemd splits into words."""
    literal = _literal(word).replace("$", "$$")
    if not any(character in literal for character in " \t\"'\\;"):
        return literal
    escaped = literal.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _literal(value: object) -> str:
    """Escape what systemd would replace: `%h` is the home folder."""
    return str(value).replace("%", "%%")
