"""Trials and development: the demo, the embedded PostgreSQL, the folder broker, processes in one terminal."""
