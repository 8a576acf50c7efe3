"""Simulated customers: their cold stores, their systems' HTTP interfaces and files, and what goes wrong with them."""
