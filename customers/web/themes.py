"""The colours of the pages, chosen for a device: a screen on the wall wants others than a phone in the sun."""

from __future__ import annotations

from django.db import models
from django.http import HttpResponse

THEME_COOKIE = "theme"
_YEAR_SECONDS = 365 * 86_400


class Theme(models.TextChoices):
    """What the script that sets the colours reads from the cookie."""

    DEVICE = "", "as the device has them"
    LIGHT = "light", "light"
    DARK = "dark", "dark"


def save_theme(response: HttpResponse, theme: str, *, is_secure: bool) -> None:
    """Have this device keep the theme. Not HttpOnly: a script sets the colours before anything is drawn."""
    response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR_SECONDS, samesite="Lax", secure=is_secure)
