"""A typed client of the Temperature Monitoring System's REST API."""

from temperature_client.client import ApiError, Client, NewReading, PushResult

__all__ = ["ApiError", "Client", "NewReading", "PushResult"]
