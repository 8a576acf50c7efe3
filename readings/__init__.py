"""What was measured: storage, roll-ups, statistics, series and lists of readings, and the pages that show them."""
