"""The app configuration of customers."""

from django.apps import AppConfig
from typing_extensions import override


class CustomersConfig(AppConfig):
    """Connect the receivers of accounts, tokens and units."""

    name = "customers"
    verbose_name = "Customers"

    @override
    def ready(self) -> None:
        """Connect the receivers for changes of accounts, tokens and units."""
        from customers import signals  # noqa: F401  connects its receivers on import
        from customers.access import token_narrowing, tokens  # noqa: F401  connect their receivers on import
        from customers.accounts import invitations, sessions, sign_in_events  # noqa: F401  connect their receivers, too
