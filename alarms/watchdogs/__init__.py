"""Watchdogs: alarms that depend on time instead of new readings."""
