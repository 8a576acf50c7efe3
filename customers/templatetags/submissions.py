"""The hidden field of forms that are carried out once, however often they are submitted."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.access.submissions import FIELD, new_key

register = template.Library()


@register.simple_tag
def submission_key() -> SafeString:
    """Return the hidden field with a key of its own; see `customers.access.submissions`."""
    return format_html('<input type="hidden" name="{}" value="{}">', FIELD, new_key())
