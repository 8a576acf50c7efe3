from django.apps import AppConfig


class TemperatureSiteConfig(AppConfig):
    """Registers the system checks."""

    name = "temperature_site"

    def ready(self) -> None:
        from temperature_site.conf import checks  # noqa: F401 - registers itself
