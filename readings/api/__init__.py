"""REST API of readings, statistics, storage units and customer profiles."""
