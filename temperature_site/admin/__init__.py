"""The admin site: Django's admin with the system status on its start page."""
