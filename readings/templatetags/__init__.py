"""Template filters of readings."""
