"""The HTTP servers of the simulated customers."""
