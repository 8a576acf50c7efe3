"""The simulator's ground level: clocks, instants and repeatable random numbers."""
