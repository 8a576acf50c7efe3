"""What the site records in the database about itself: which queues are served, and whether it is a demo."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from typing_extensions import override


class QueueHeartbeat(models.Model):
    """The latest heartbeats of the workers of one queue, or of beat; see `temperature_site.heartbeats`."""

    queue = models.CharField(max_length=100, primary_key=True)
    seen_at = models.DateTimeField(help_text="When the main loop of a worker of this queue last ran.")
    ran_at = models.DateTimeField(help_text="When a worker of this queue last started, or ran a heartbeat task.")
    clock_ahead_seconds = models.FloatField(
        default=0, db_default=0, help_text="By how much the process's clock is ahead of the database's."
    )

    class Meta:
        db_table = "queue_sign"

    @override
    def __str__(self) -> str:
        return self.queue


class ForwardedHeaders(models.Model):
    """The one row that records that a proxy in front is not counted; see `temperature_site.forwarded_headers`."""

    only = models.BooleanField(primary_key=True, default=True, editable=False)
    seen_at = models.DateTimeField(help_text="When a request with such headers last arrived.")

    class Meta:
        db_table = "forwarded_headers"
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="one_row_of_forwarded_headers")]

    @override
    def __str__(self) -> str:
        return f"forwarded headers seen {self.seen_at:%d %b %Y}"


class DemoSystem(models.Model):
    """The one row of a system that the demo was loaded into; see `temperature_site.dev.demo`."""

    only = models.BooleanField(primary_key=True, default=True, editable=False)
    simulator_port = models.PositiveIntegerField(help_text="First port of the simulator at the last start.")
    loaded_at = models.DateTimeField(db_default=Now())
    has_notifications = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text="Its customers got their channels and rules, which may be deleted.",
    )

    class Meta:
        db_table = "demo_system"
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="one_demo_system")]

    @override
    def __str__(self) -> str:
        return f"demo since {self.loaded_at:%d %b %Y}"


class Backup(models.Model):
    """A backup that `manage.py backup` completed, by which its age is known."""

    taken_at = models.DateTimeField(help_text="The moment whose state it contains.")
    folder = models.CharField(max_length=1000, help_text="Where it was written, with the name of the machine.")
    size_bytes = models.BigIntegerField()
    duration_seconds = models.FloatField()

    class Meta:
        ordering = ["-taken_at"]
        db_table = "backup"

    @override
    def __str__(self) -> str:
        return f"backup of {self.taken_at:%d %b %Y %H:%M} UTC"


class SystemProblem(models.Model):
    """A problem of the system itself that lasts; see `temperature_site.operations.operator_alerts`."""

    part = models.CharField(max_length=100, primary_key=True)
    detail = models.CharField(max_length=1000)
    advice = models.CharField(max_length=1000)
    since = models.DateTimeField()
    notified_at = models.DateTimeField(
        null=True, help_text="When the operator was first told; null until that succeeds."
    )
    notified_by = ArrayField(
        models.CharField(max_length=10),
        default=list,
        db_default=[],
        help_text="The ways that told the operator that it began, and not yet that it is over.",
    )
    claimed_at = models.DateTimeField(null=True, help_text="When a run last began to see to it.")

    class Meta:
        ordering = ["since"]
        db_table = "system_problem"

    @override
    def __str__(self) -> str:
        return f"{self.part}: {self.detail}"
