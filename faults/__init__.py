"""Faults injected into real processes and servers, and a report of what was lost, duplicated or changed."""
