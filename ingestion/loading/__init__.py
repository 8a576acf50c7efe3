"""Loading of parsed deliveries: registration, storage, review and replay."""
