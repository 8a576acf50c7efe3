"""Replace Django's default admin site with the project's."""

from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class AdminConfig(DjangoAdminConfig):
    """Use `temperature_site.admin.site.AdminSite` wherever models register themselves."""

    default_site = "temperature_site.admin.site.AdminSite"
