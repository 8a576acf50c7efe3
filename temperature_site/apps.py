from django.apps import AppConfig


class TemperatureSiteConfig(AppConfig):
    name = "temperature_site"
