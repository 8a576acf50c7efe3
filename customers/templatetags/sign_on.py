"""The provider of single sign-on."""

from __future__ import annotations

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def sign_on_provider() -> str:
    """Return the name of the provider that people may sign in through, "" if there is none."""
    return settings.OIDC_NAME if settings.OIDC_ISSUER else ""
