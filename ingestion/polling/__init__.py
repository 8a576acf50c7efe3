"""Polling of sources: claims, schedule and fetching."""
