"""Print or write the list of the dependencies' licences."""

from temperature_site.dev.licences import document
from temperature_site.management.commands._generated_page import GeneratedPageCommand


class Command(GeneratedPageCommand):
    """`manage.py licences`: the list on standard output, or in docs/licences.md with --write."""

    help = "Print the licences of the packages that the system runs on."
    page = "licences.md"
    document = document
