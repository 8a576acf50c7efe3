"""Series of temperatures for charts."""
