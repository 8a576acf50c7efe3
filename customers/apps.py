"""The app configuration of customers."""

from django.apps import AppConfig
from typing_extensions import override


class CustomersConfig(AppConfig):
    """Connect the receivers of tokens."""

    name = "customers"
    verbose_name = "Customers"

    @override
    def ready(self) -> None:
        """Listen for changes of what a token may see."""
        from customers.access import tokens  # noqa: F401  its receiver connects itself
