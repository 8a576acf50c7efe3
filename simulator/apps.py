"""The app configuration of the simulator."""

from django.apps import AppConfig


class SimulatorConfig(AppConfig):
    """Register the simulator's management commands."""

    name = "simulator"
