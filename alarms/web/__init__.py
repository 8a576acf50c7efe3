"""Pages about alarms, limits, maintenance windows and notifications."""
