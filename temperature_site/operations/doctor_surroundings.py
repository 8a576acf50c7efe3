"""The doctor's checks of what surrounds the system: disk, mail server, webhooks' hosts."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import datetime

import psutil
from django.conf import settings
from django.core.mail import get_connection

from alarms.models import Channel
from core.http.addresses import parse_networks, parse_ports
from core.http.guarded_http import FetchFailure, FetchLimits, Guard, connect_to, parse_target, port_of
from temperature_site.operations.doctor import Finding, State, fine

MIN_FREE_BYTES = 1_000_000_000
MIN_FREE_PERCENT = 10
WAIT_SECONDS = 5.0
MAX_HOSTS = 20


def check_disk(now: datetime) -> Iterator[Finding]:
    """Report a data directory's disk that is nearly full."""
    disk = psutil.disk_usage(str(settings.DATA_DIR))
    detail = f"{disk.free / 1e9:,.1f} GB free ({100 - disk.percent:.0f} %) at {settings.DATA_DIR}"
    if disk.free < MIN_FREE_BYTES or disk.percent > 100 - MIN_FREE_PERCENT:
        advice = "Free space or enlarge the disk: docs/runbook.md, “A full disk”."
        yield Finding("disk", State.PROBLEM, detail, advice)
    else:
        yield fine("disk", detail)


def check_mail(now: datetime) -> Iterator[Finding]:
    """Sign in to the mail server without sending anything."""
    if not settings.EMAIL_URL:
        yield Finding("mail", State.WARNING, "no mail server", "Set EMAIL_URL, or e-mail channels deliver nothing.")
        return
    try:
        with get_connection(timeout=WAIT_SECONDS):
            yield fine("mail")
    except (OSError, smtplib.SMTPException) as error:
        # The class only: a server's answer may repeat the user name.
        detail = getattr(error, "strerror", None) or type(error).__name__
        yield Finding("mail", State.PROBLEM, f"the mail server does not accept us: {detail}", "Check EMAIL_URL.")


def check_webhooks(now: datetime) -> Iterator[Finding]:
    """Connect to the hosts of the active webhooks, without sending anything."""
    addresses = Channel.objects.filter(kind=Channel.Kind.WEBHOOK, is_enabled=True).values_list("address", flat=True)
    hosts: dict[tuple[str, int], str] = {}
    for address in addresses:
        try:
            target = parse_target(address)
            hosts.setdefault((target.host or "", port_of(target)), address)
        except FetchFailure as failure:
            yield Finding("webhooks", State.PROBLEM, failure.message, "Correct the channel's address.")
    tried = list(hosts)[:MAX_HOSTS]
    reached = 0
    for host, port in tried:
        try:
            connect_to(host, port, _guard()).close()
            reached += 1
        except FetchFailure as failure:
            advice = "Check the address, the firewall, OUTGOING_PORTS and NOTIFICATION_ALLOWED_NETWORKS."
            yield Finding("webhooks", State.PROBLEM, f"{host}:{port}: {failure.message}", advice)
    if not hosts:
        yield fine("webhooks", "none configured")
    elif reached == len(tried):
        is_all = len(tried) == len(hosts)
        text = f"{reached} hosts reached" if is_all else f"{reached} of {len(hosts):,} hosts tried, all reached"
        yield fine("webhooks", text)


def _guard() -> Guard:
    ports = parse_ports(settings.OUTGOING_PORTS)
    limits = FetchLimits(WAIT_SECONDS, WAIT_SECONDS, WAIT_SECONDS, max_redirects=0, ports=ports)
    return Guard(limits, parse_networks(settings.NOTIFICATION_ALLOWED_NETWORKS))
