"""Tell the operator of problems of the system itself, through a channel of its own; without any, a dead man's switch.

Customers' notification rules are about goods; this is about the system. A problem is told once it was found by two runs
in a row, and again when it is over. What stops beat, the workers or the database stops this, too: then the heartbeat
fails to reach the external service of HEARTBEAT_URL, which tells the operator.
"""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

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
# For this time a problem is left to the run that claimed it, so that those of two beats do not both tell it. Less than
# the time between two runs of one beat: what a run that was killed has not told, the next one does.
CLAIMED_FOR = timedelta(seconds=50)
# Tells a subject and a text; returns whether that succeeded.
Tell = Callable[[str, str], bool]
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('operator alerts'))"


def watch(now: datetime) -> None:
    """Examine the system, tell the operator what has changed, and send the heartbeat if all is well."""
    problems: dict[str, Finding] = {}
    for finding in diagnose(now, WATCHED):
        if finding.state == State.PROBLEM:
            problems.setdefault(finding.part, finding)
    repeated, ended = _record(problems, now)
    ways = _ways()
    for way, tell in ways.items():
        _tell_started(way, tell, [problem for problem in repeated if way not in problem.notified_by], now)
        _tell_ended(way, tell, [problem for problem in ended if way in problem.notified_by])
    SystemProblem.objects.exclude(part__in=problems).exclude(notified_by__overlap=list(ways)).delete()
    if settings.HEARTBEAT_URL and not problems:
        _request("GET", settings.HEARTBEAT_URL)


def _record(problems: Mapping[str, Finding], now: datetime) -> tuple[list[SystemProblem], list[SystemProblem]]:
    """Record and claim the problems; return those that were found before as well, and those that have ended.

    What another run has claimed is left to it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        known = {problem.part: problem for problem in SystemProblem.objects.all()}
        SystemProblem.objects.bulk_create(
            SystemProblem(part=part, detail=found.detail[:1000], advice=found.advice[:1000], since=now, claimed_at=now)
            for part, found in problems.items()
            if part not in known
        )
        claimed = [each for each in known.values() if not each.claimed_at or now - each.claimed_at >= CLAIMED_FOR]
        SystemProblem.objects.filter(part__in=[problem.part for problem in claimed]).update(claimed_at=now)
    repeated = [problem for problem in claimed if problem.part in problems]
    return repeated, [problem for problem in claimed if problem.part not in problems]


def _tell_started(way: str, tell: Tell, problems: Sequence[SystemProblem], now: datetime) -> None:
    lines = [f"{problem.part}: {problem.detail}\n  {problem.advice}" for problem in problems]
    if problems and tell(f"Temperature monitoring: {_names(problems)} needs attention", "\n".join(lines)):
        for problem in problems:
            problem.notified_at = problem.notified_at or now
            problem.notified_by = [*problem.notified_by, way]
            problem.save(update_fields=["notified_at", "notified_by"])


def _tell_ended(way: str, tell: Tell, problems: Sequence[SystemProblem]) -> None:
    lines = [
        f"{problem.part}: ok again; from {problem.since:%Y-%m-%d %H:%M} UTC: {problem.detail}" for problem in problems
    ]
    if problems and tell(f"Temperature monitoring: {_names(problems)} ok again", "\n".join(lines)):
        for problem in problems:
            problem.notified_by = [each for each in problem.notified_by if each != way]
            problem.save(update_fields=["notified_by"])


def _names(problems: Sequence[SystemProblem]) -> str:
    return ", ".join(problem.part for problem in problems)


def _ways() -> Mapping[str, Tell]:
    """Return the configured ways to tell the operator something, which fail independently of each other."""
    ways = {"log": _log}
    if settings.OPERATOR_EMAIL:
        ways["mail"] = _send_mail
    if settings.OPERATOR_WEBHOOK_URL:
        ways["webhook"] = _post
    return ways


def _log(subject: str, text: str) -> bool:
    logger.warning("system problem", subject=subject, text=text)
    return True


def _send_mail(subject: str, text: str) -> bool:
    try:
        send_mail(subject, text + "\n", None, settings.OPERATOR_EMAIL)
    except (OSError, smtplib.SMTPException) as error:
        logger.error("operator not told by mail", error=type(error).__name__)  # noqa: TRY400 - expected, no traceback
        return False
    return True


def _post(subject: str, text: str) -> bool:
    return _request("POST", settings.OPERATOR_WEBHOOK_URL, {"text": f"{subject}\n{text}"})


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
