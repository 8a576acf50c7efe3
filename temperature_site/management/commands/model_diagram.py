"""Print or write the entity-relationship diagram of the models."""

from temperature_site.dev.model_diagram import document
from temperature_site.management.commands._generated_page import GeneratedPageCommand


class Command(GeneratedPageCommand):
    """`manage.py model_diagram`: the diagram on standard output, or in docs/models.md with --write."""

    help = "Print the entity-relationship diagram of the models as Mermaid text."
    page = "models.md"
    document = document
