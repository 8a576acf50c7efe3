"""Print the statements that grant the application's database role its rights."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import BaseCommand
from typing_extensions import override

from seals.grants import grant_statements


class Command(BaseCommand):
    """`manage.py print_grants temperature_app | psql ...` as the owner of the tables."""

    help = (
        "Prints the GRANT and REVOKE statements under which the application's database role can't change the records."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("role", help="The role that DATABASE_URL of the web and worker processes names.")

    @override
    def handle(self, *args: object, role: str, **options: object) -> None:
        for statement in grant_statements(role):
            self.stdout.write(statement)
