"""Replace Django's default admin site with the project's."""

from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig
from typing_extensions import override


class AdminConfig(DjangoAdminConfig):
    """Use `temperature_site.admin.site.AdminSite` wherever models register themselves."""

    default_site = "temperature_site.admin.site.AdminSite"

    @override
    def ready(self) -> None:
        """Register the admin of every app, and then replace that of beat's entries."""
        super().ready()
        from temperature_site.admin import beat  # noqa: F401  registers on import
