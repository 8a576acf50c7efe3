"""What the simulated customers send: JSON envelopes, CSV downloads and data logger files."""
