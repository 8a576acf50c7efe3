"""Verification of the trail, the seals and the readings in the database."""
