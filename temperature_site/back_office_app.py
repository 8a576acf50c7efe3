"""Puts the back office in the place of Django's own admin site."""

from django.contrib.admin.apps import AdminConfig


class BackOfficeConfig(AdminConfig):
    """In a file of its own: where there are two, Django would not know which is the project's."""

    default_site = "temperature_site.back_office.BackOffice"
