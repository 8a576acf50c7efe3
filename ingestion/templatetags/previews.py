"""Filters for previews: the settings that a message names, as people know them."""

from __future__ import annotations

from django import template

from ingestion.models import Source
from ingestion.previews import results

register = template.Library()


@register.filter
def settings_in(message: str) -> tuple[str, ...]:
    """Return the settings that a note or message names."""
    return results.settings_in(message)


@register.filter
def setting_label(name: str) -> str:
    """Return the label of a setting as in the forms of sources."""
    label = str(getattr(Source._meta.get_field(name), "verbose_name", name))
    return label[:1].upper() + label[1:]
