"""Commands to import readings, poll sources and show the status."""
