"""Adds beat's entries that are missing; beat does the same when it starts."""

from typing import Any

from django.core.management.base import BaseCommand

from temperature_site.schedule import ensure_schedule


class Command(BaseCommand):
    help = "Add the periodic tasks that are missing. Entries edited in the admin stay as they are."

    def handle(self, *args: Any, **options: Any) -> None:
        added = ensure_schedule()
        self.stdout.write(f"Added to the schedule: {', '.join(added)}" if added else "The schedule is complete.")
