"""Months of readings in Parquet files instead of the table, and their way there and back."""
