"""Benchmarks with millions of readings, and what a database of several nodes needs."""
