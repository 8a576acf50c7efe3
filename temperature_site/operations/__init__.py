"""Running the system in production: installing its services, and what its operator needs to look after it."""
