"""Evaluation of new readings: from stored rows to excursions and alarms."""
