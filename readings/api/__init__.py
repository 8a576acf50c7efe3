"""REST API of readings, statistics and storage units."""
