from django.apps import AppConfig


class ReadingsConfig(AppConfig):
    name = "readings"

    def ready(self) -> None:
        """Listen for what makes roll-ups untrue."""
        from readings import rebuilds  # noqa: F401  its receivers connect themselves
