"""Who makes the changes of this moment, from where and why: the context that every entry records.

Whoever begins a unit of work says who it is: a middleware for requests, Celery's signals for tasks. What it says is
evaluated only when something audited is written, so it costs requests that only read nothing.
"""

from __future__ import annotations

import getpass
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

from audit.models import AuditEntry

Kind = AuditEntry.ActorKind
Origin = AuditEntry.Origin

# The escape of a NUL in JSON, and not the end of an escaped backslash before "u0000".
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who: a person, a token, a process, or somebody who is not signed in."""

    kind: str
    name: str = ""
    id: int | None = None
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class AuditContext:
    """Who, from where and why."""

    actor: Actor
    origin: str
    process: str = ""
    address: str = ""
    request_id: UUID | None = None
    reason: str = ""

    def as_json(self) -> dict[str, object]:
        """Return what `audit.functions` reads."""
        return {
            "kind": self.actor.kind,
            "id": self.actor.id,
            "name": self.actor.name,
            "display_name": self.actor.display_name,
            "origin": self.origin,
            "process": self.process,
            "address": _valid_address(self.address),
            "request_id": str(self.request_id) if self.request_id else None,
            "reason": self.reason,
        }


@dataclass(slots=True)
class _Work:
    """What is going on: its context, made when it is needed, and what was said in addition."""

    make: Callable[[], AuditContext]
    reason: str = ""
    actor: Actor | None = None


_work: ContextVar[_Work | None] = ContextVar("audit_work", default=None)


def begin_work(make: Callable[[], AuditContext]) -> Token[_Work | None]:
    """Set who makes changes from now on, until `end_work`; `make` is called when something is written."""
    return _work.set(_Work(make))


def end_work(token: Token[_Work | None]) -> None:
    """Return to what was set before `begin_work`."""
    _work.reset(token)


def current_context() -> AuditContext:
    """Return the context of what is written now; that of the process if nobody set one."""
    work = _work.get()
    if work is None:
        return process_context()
    context = work.make()
    return replace(context, actor=work.actor or context.actor, reason=work.reason or context.reason)


@contextmanager
def stating_reason(reason: str) -> Iterator[None]:
    """Record `reason` with what is written meanwhile, instead of the one that the request states."""
    with _in_addition(reason=reason.strip()):
        yield


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Record `actor` with what is written meanwhile: a task that does what a person asked for."""
    with _in_addition(actor=actor):
        yield


@contextmanager
def _in_addition(*, reason: str = "", actor: Actor | None = None) -> Iterator[None]:
    work = _work.get() or _Work(process_context)
    token = _work.set(_Work(work.make, reason or work.reason, actor or work.actor))
    try:
        yield
    finally:
        _work.reset(token)


@cache
def process_context() -> AuditContext:
    """Return the context of this process: a management command with the account that runs it, or a server."""
    name = command_name(sys.argv)
    return AuditContext(Actor(Kind.PROCESS, name, display_name=_system_account()), Origin.COMMAND, process=name)


def task_context(task_name: str) -> AuditContext:
    """Return the context of a Celery task."""
    return AuditContext(Actor(Kind.PROCESS, task_name), Origin.TASK, process=task_name)


def command_name(arguments: list[str]) -> str:
    """Return the name of a management command, or of the program, without further arguments: they may be secret."""
    path = Path(arguments[0]) if arguments else Path()
    program = path.parent.name if path.name == "__main__.py" else path.name
    is_command = program in ("manage.py", "django-admin") and len(arguments) > 1
    return f"{program} {arguments[1]}" if is_command else program or "python"


def _system_account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under an id without a name.
        return ""


def _valid_address(address: str) -> str | None:
    try:
        return str(ip_address(address.partition("%")[0]))
    except ValueError:
        return None


def json_text(values: Mapping[str, object]) -> str:
    """Return the values as JSON that PostgreSQL takes, whatever people sent.

    NULs are left out, which no text in PostgreSQL holds; lone surrogates become question marks, unknown types text.
    """
    text = json.dumps(values, ensure_ascii=False, default=str)
    return _NUL.sub(r"\1", text).encode("utf-8", "replace").decode()
