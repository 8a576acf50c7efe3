"""What the processes record in the database so that others can see that they are running."""

from __future__ import annotations

from django.db import models
from typing_extensions import override


class QueueHeartbeat(models.Model):
    """The latest heartbeats of the workers of one queue; see `temperature_site.heartbeats`."""

    queue = models.CharField(max_length=100, primary_key=True)
    seen_at = models.DateTimeField(help_text="When the main loop of a worker of this queue last ran.")
    ran_at = models.DateTimeField(help_text="When a worker of this queue last started, or ran a heartbeat task.")

    class Meta:
        db_table = "queue_sign"

    @override
    def __str__(self) -> str:
        return self.queue
