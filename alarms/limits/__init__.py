"""Limits of storage units: profiles, versions, and what triggers a new version."""
