"""Add the missing entries of beat's schedule; beat does the same when it starts."""

from django.core.management.base import BaseCommand
from typing_extensions import override

from temperature_site.schedule import ensure_schedule


class Command(BaseCommand):
    """`manage.py ensure_schedule`."""

    help = "Add the periodic tasks that are missing. Entries edited in the admin stay as they are."

    @override
    def handle(self, *args: object, **options: object) -> None:
        added = ensure_schedule()
        self.stdout.write(f"Added to the schedule: {', '.join(added)}" if added else "The schedule is complete.")
