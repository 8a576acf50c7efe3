"""Parsing of delimited text."""
