from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "customers"
    verbose_name = "Customers"

    def ready(self) -> None:
        """Listen for changes of what a token may see."""
        from customers.access import tokens  # noqa: F401  its receiver connects itself
