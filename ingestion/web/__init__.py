"""The source pages."""
