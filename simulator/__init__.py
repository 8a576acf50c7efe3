"""Customers that do not exist: their cold stores, their systems' HTTP and files, and what goes wrong with them."""
