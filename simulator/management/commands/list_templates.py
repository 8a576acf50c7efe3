"""List the templates of customers."""

from django.core.management.base import BaseCommand
from typing_extensions import override

from simulator.model.templates import TEMPLATES, Range, Template


class Command(BaseCommand):
    """`manage.py list_templates`."""

    help = "List the templates that fleets are generated from."
    requires_system_checks = []

    @override
    def handle(self, *args: object, **options: object) -> None:
        for name, template in TEMPLATES.items():
            self.stdout.write(name)
            for what, value in _details(template):
                self.stdout.write(f"  {what:<18}{value}")


def _details(template: Template) -> list[tuple[str, str]]:
    quality = template.data_quality
    return [
        ("default share of a fleet", f"{template.share_percent} %"),
        ("method", f"{template.data_sharing_method}, polled every {template.poll_seconds} s"),
        ("facilities", f"{_text(template.facilities)}, in {', '.join(template.cities)}"),
        ("units each", _text(template.units_each)),
        ("set temperature", f"{_text(template.set_temperature)} °{template.temperature_unit}"),
        ("size", f"{_text(template.size)} {template.size_unit}"),
        ("reading every", f"{_text(template.reading_every_seconds)} s"),
        ("chances of null", f"reading {quality.null_reading}, name {quality.null_name}, city {quality.null_city}"),
        ("clock jitter", f"{quality.clock_jitter_seconds:g} s"),
    ]


def _text(limits: Range) -> str:
    low, high = limits
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
