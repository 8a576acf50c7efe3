"""Filters for the numbers of templates: temperatures and durations as everywhere else."""

from __future__ import annotations

from datetime import timedelta

from django import template

from readings.units.formatting import duration_text, elapsed_text, scaled_text

register = template.Library()


@register.filter
def on_scale(temperature: float, scale: str) -> str:
    """Format a temperature that is on this scale already."""
    return scaled_text(temperature, scale)


@register.filter
def duration(seconds: int) -> str:
    """Format a duration in its two largest units."""
    return duration_text(timedelta(seconds=seconds))


@register.filter
def duration_of_minutes(minutes: int) -> str:
    """Format a duration that is stored in minutes."""
    return duration_text(timedelta(minutes=minutes))


@register.filter
def elapsed(seconds: float) -> str:
    """Format a measured duration, with fractions of a second below a minute."""
    return elapsed_text(seconds)
