"""The hidden field of forms that are carried out once, however often they are submitted, and the way back to a form."""

from __future__ import annotations

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.access.submissions import FIELD, form_page, new_key

register = template.Library()


@register.simple_tag
def submission_key() -> SafeString:
    """Return the hidden field with a key of its own; see `customers.access.submissions`."""
    return format_html('<input type="hidden" name="{}" value="{}">', FIELD, new_key())


@register.simple_tag(takes_context=True)
def page_of_form(context: Context) -> str:
    """Return the address of the page on which the form of this request is; "" if it is not known."""
    request = context.get("request")
    return "" if request is None else form_page(request)
