"""Print or write the table of who may do what."""

from temperature_site.dev.access_table import document
from temperature_site.management.commands._generated_page import GeneratedPageCommand


class Command(GeneratedPageCommand):
    """`manage.py access_table`: the table on standard output, or in docs/access.md with --write."""

    help = "Print the table of roles, groups of staff and permissions of tokens, by action."
    page = "access.md"
    document = document
