"""The faults, by what they affect."""
