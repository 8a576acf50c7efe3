"""`manage.py load_demo`: the ten customers that the simulator plays, and people to sign in as."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from temperature_site.dev import demo


class Command(BaseCommand):
    help = "Adds the demo's customers, sources and people to an empty system. Doing it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            demo.load()
        except demo.NotADemo as error:
            raise CommandError(str(error)) from error
        for person in demo.PEOPLE:
            self.stdout.write(f"Sign in as {person.user_name} / {demo.PASSWORD} — {person.what}")
        if settings.DEMO:
            self.stdout.write("Call the API with “Authorization: Bearer read_A_65_token_2025” — Pharma Corp A, reading")
