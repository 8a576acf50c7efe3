"""Conversion of the values of rows: codes, numbers, times."""
