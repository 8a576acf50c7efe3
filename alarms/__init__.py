"""What readings mean: limits, excursions, alarms, notifications and drills."""
