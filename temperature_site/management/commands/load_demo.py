"""Load the demo: ten simulated customers, and people to sign in as."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from temperature_site.dev import demo


class Command(BaseCommand):
    """`manage.py load_demo`."""

    help = (
        "Add the demo's customers, sources and people to an empty system; repeated, it follows the simulator's ports."
    )

    @override
    def handle(self, *args: object, **options: object) -> None:
        try:
            demo.load()
        except demo.NotADemo as error:
            raise CommandError(str(error)) from error
        for person in demo.people_to_sign_in_as():
            self.stdout.write(f"Sign in as {person.user_name} / {demo.PASSWORD} — {person.description}")
        if settings.DEMO:
            self.stdout.write("Call the API with “Authorization: Bearer read_A_65_token_2025” — Pharma Corp A, reading")
