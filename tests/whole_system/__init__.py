"""The processes of the Procfile, started together or with what they depend on, and the benchmarks that start them."""
