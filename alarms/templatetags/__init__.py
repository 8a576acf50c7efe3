"""Template tags that list alarms."""
