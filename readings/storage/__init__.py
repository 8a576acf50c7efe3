"""The tables of readings: storing, roll-ups, partitions and time weighting."""
