"""What benchmarks share: units, load, CPU time, servers, and results."""
