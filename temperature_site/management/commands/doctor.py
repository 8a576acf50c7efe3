"""Examine the installation, and say what to do about each problem."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from datetime import datetime

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error
from django.utils import timezone
from typing_extensions import override

from core.db import clock
from temperature_site.operations import doctor, doctor_surroundings
from temperature_site.operations.doctor import Finding, State, diagnose

CHECKS = (
    doctor.check_settings,
    doctor.check_health,
    doctor.check_migrations,
    doctor.check_schedule,
    doctor.check_clocks,
    doctor.check_queues,
    doctor.check_late_sources,
    doctor.check_interrupted_sources,
    doctor.check_leases,
    doctor.check_recalculation,
    doctor_surroundings.check_disk,
    doctor_surroundings.check_mail,
    doctor_surroundings.check_webhooks,
    doctor.check_backup,
)
WIDTH = 110


def _now() -> datetime:
    """Return the time by the database's clock, by that of this machine if the database does not answer."""
    try:
        return clock.database_now()
    except Error:
        return timezone.now()


class Command(BaseCommand):
    """Prints a table of findings; the exit code is 1 if there is a problem."""

    help = (
        "Check settings, connections, schedule, partitions, clocks, disk, mail, webhooks, queues, leases, "
        "recalculation and backups."
    )
    # They are among the findings; here they would end the command before the others.
    requires_system_checks = ()

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    @override
    def handle(self, *args: object, **options: object) -> None:
        findings = diagnose(_now(), CHECKS)
        if options["json"]:
            self.stdout.write(json.dumps([finding.as_json() for finding in findings], indent=2))
        else:
            self.print_table(findings)
        if any(finding.state == State.PROBLEM for finding in findings):
            sys.exit(1)

    def print_table(self, findings: Sequence[Finding]) -> None:
        """Print a line for each finding, and below it what to do."""
        styles = {State.OK: self.style.SUCCESS, State.WARNING: self.style.WARNING, State.PROBLEM: self.style.ERROR}
        width = max(len(finding.part) for finding in findings)
        for finding in findings:
            state = styles[finding.state](f"{finding.state.name.lower():8}")
            self.stdout.write(f"{state}{finding.part:{width}}  {finding.detail}")
            for line in textwrap.wrap(finding.advice, WIDTH - width - 12):
                self.stdout.write(f"{'':{width + 12}}{line}")
