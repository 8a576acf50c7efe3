"""Parsing of JSON."""
