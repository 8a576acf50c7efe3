"""What the processes leave in the database so that others can see that they live."""

from __future__ import annotations

from django.db import models


class QueueSign(models.Model):
    """The signs of life of the workers of one queue; see `temperature_site.heartbeats`."""

    queue = models.CharField(max_length=100, primary_key=True)
    seen_at = models.DateTimeField(help_text="When the main loop of a worker of this queue last went round.")
    ran_at = models.DateTimeField(help_text="When a worker of this queue last started, or ran a heartbeat.")

    class Meta:
        db_table = "queue_sign"

    def __str__(self) -> str:
        return self.queue
