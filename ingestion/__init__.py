"""How readings arrive: sources, polling, parsing, loading and review."""
