"""Excursions: their definition, and how stored ones are kept equal to it."""
