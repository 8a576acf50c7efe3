"""Parsing of what sources send, in JSON or CSV, into batches of readings."""
