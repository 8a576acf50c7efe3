"""REST API of alarms, excursions and limits."""
