"""Benchmarks of storing, evaluation, imports, pages and the REST API: `python -m benchmarks`."""
