"""Imports of files by people: preview, mapping, storing in the background, and undoing."""
