"""Tell the operator of problems of the system itself, through a channel of its own; without any, a dead man's switch.

Customers' notification rules are about goods; this is about the system. A problem is told once it was found by two runs
in a row, and again when it is over. What stops beat, the workers or the database stops this, too: then the heartbeat
fails to reach the external service of HEARTBEAT_URL, which tells the operator.
"""

from __future__ import annotations

import json
import smtplib
from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import connection, transaction

from core.http.addresses import parse_networks, parse_ports
from core.http.guarded_http import FetchFailure, FetchLimits, GuardedExchange
from temperature_site.models import SystemProblem
from temperature_site.operations import doctor, doctor_surroundings
from temperature_site.operations.doctor import Finding, State, diagnose

logger = structlog.get_logger(__name__)

# What can be examined every minute: nothing that contacts mail servers or customers' webhooks.
WATCHED = (
    doctor.check_health,
    doctor.check_clocks,
    doctor.check_queues,
    doctor.check_late_sources,
    doctor.check_interrupted_sources,
    doctor.check_leases,
    doctor.check_recalculation,
    doctor.check_backup,
    doctor_surroundings.check_disk,
)
TIMEOUT_SECONDS = 10.0
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('operator alerts'))"


def watch(now: datetime) -> None:
    """Examine the system, tell the operator what has changed, and send the heartbeat if all is well."""
    problems: dict[str, Finding] = {}
    for finding in diagnose(now, WATCHED):
        if finding.state == State.PROBLEM:
            problems.setdefault(finding.part, finding)
    if started := _record(problems, now):
        _tell_started(started, now)
    _tell_ended(problems)
    if settings.HEARTBEAT_URL and not problems:
        _request("GET", settings.HEARTBEAT_URL)


def _record(problems: Mapping[str, Finding], now: datetime) -> list[SystemProblem]:
    """Record the problems; return those that were found before and that the operator does not know yet."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Two beats must not tell everything twice.
        cursor.execute(_LOCK)
        known = {problem.part: problem for problem in SystemProblem.objects.filter(part__in=problems)}
        # A problem that ended before anybody was told needs no message.
        SystemProblem.objects.exclude(part__in=problems).filter(notified_at=None).delete()
        SystemProblem.objects.bulk_create(
            SystemProblem(part=part, detail=found.detail[:1000], advice=found.advice[:1000], since=now)
            for part, found in problems.items()
            if part not in known
        )
    return [problem for problem in known.values() if problem.notified_at is None]


def _tell_started(problems: Sequence[SystemProblem], now: datetime) -> None:
    lines = [f"{problem.part}: {problem.detail}\n  {problem.advice}" for problem in problems]
    if _tell(f"Temperature monitoring: {_names(problems)} needs attention", "\n".join(lines)):
        SystemProblem.objects.filter(part__in=[problem.part for problem in problems]).update(notified_at=now)


def _tell_ended(problems: Mapping[str, Finding]) -> None:
    ended = list(SystemProblem.objects.exclude(part__in=problems))
    lines = [
        f"{problem.part}: ok again; from {problem.since:%Y-%m-%d %H:%M} UTC: {problem.detail}" for problem in ended
    ]
    if ended and _tell(f"Temperature monitoring: {_names(ended)} ok again", "\n".join(lines)):
        SystemProblem.objects.filter(part__in=[problem.part for problem in ended]).delete()


def _names(problems: Sequence[SystemProblem]) -> str:
    return ", ".join(problem.part for problem in problems)


def _tell(subject: str, text: str) -> bool:
    """Send a message to the operator; return whether every configured way worked. Without one it is logged only."""
    logger.warning("system problem", subject=subject, text=text)
    is_sent = True
    if settings.OPERATOR_EMAIL:
        try:
            send_mail(subject, text + "\n", None, settings.OPERATOR_EMAIL)
        except (OSError, smtplib.SMTPException) as error:
            logger.error("operator not told by mail", error=type(error).__name__)  # noqa: TRY400 - expected, no traceback
            is_sent = False
    if settings.OPERATOR_WEBHOOK_URL:
        is_sent &= _request("POST", settings.OPERATOR_WEBHOOK_URL, {"text": f"{subject}\n{text}"})
    return is_sent


def _request(method: str, url: str, document: Mapping[str, str] | None = None) -> bool:
    """Send a guarded request; return whether it was accepted. The URL is not logged: it may contain a secret."""
    body = None if document is None else json.dumps(document).encode()
    limits = FetchLimits(
        5.0, TIMEOUT_SECONDS, TIMEOUT_SECONDS, max_redirects=0, ports=parse_ports(settings.OUTGOING_PORTS)
    )
    try:
        with GuardedExchange(limits, parse_networks(settings.NOTIFICATION_ALLOWED_NETWORKS)) as exchange:
            status = exchange.open(method, url, {"Content-Type": "application/json"} if body else {}, body).status
    except FetchFailure as failure:
        logger.error("operator's service not reached", method=method, error=failure.message)  # noqa: TRY400 - as above
        return False
    if not 200 <= status < 300:
        logger.error("operator's service refused", method=method, status=status)
    return 200 <= status < 300
