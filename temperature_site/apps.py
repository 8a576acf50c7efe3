"""The app configuration of the site."""

from django.apps import AppConfig
from typing_extensions import override


class TemperatureSiteConfig(AppConfig):
    """Register the system checks of the settings, and ship the groups of staff."""

    name = "temperature_site"

    @override
    def ready(self) -> None:
        from customers.access import groups
        from temperature_site.conf import checks  # noqa: F401 - registers its checks on import

        groups.connect(self)
