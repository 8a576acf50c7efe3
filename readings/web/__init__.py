"""Pages of readings: overview, facilities, units and analytics."""
