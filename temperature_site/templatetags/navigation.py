"""The links of the site navigation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from django import template
from django.template import Context
from django.urls import get_script_prefix, reverse

register = template.Library()


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the site: the URL name of its first page, and the prefixes of the URL names of its other pages."""

    title: str
    url_name: str
    prefixes: tuple[str, ...] = ()

    def contains(self, url_name: str) -> bool:
        """Return whether the page with this URL name belongs to the section."""
        return url_name == self.url_name or url_name.startswith(self.prefixes)


SECTIONS = (
    Section("Overview", "overview"),
    Section("Facilities", "facilities", ("facility", "unit")),
    Section("Analytics", "analytics", ("analytics",)),
    Section("Alarms", "alarms", ("alarm",)),
    Section("Sources", "sources", ("source", "import", "setup")),
    Section(
        "Settings",
        "settings",
        (
            "settings",
            "password-change",
            "trail",
            "seals",
            "sessions",
            "mfa_",
            "account_reauthenticate",
            "socialaccount_",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the navigation."""

    title: str
    address: str
    is_current: bool

    @property
    def has_alarm_count(self) -> bool:
        """Return whether the link shows the number of open alarms."""
        return self.title == "Alarms"


@register.simple_tag(takes_context=True)
def section_links(context: Context) -> tuple[Link, ...]:
    """Return a link to each section, with the section of this page marked as current; error pages have none."""
    match = getattr(context.get("request"), "resolver_match", None)
    return _links((match.url_name if match else None) or "", get_script_prefix())


# Rendered on every page; there is one entry per URL name.
@lru_cache(maxsize=1_000)
def _links(url_name: str, script_prefix: str) -> tuple[Link, ...]:
    """Return the links for a page; `reverse` depends on `script_prefix`."""
    return tuple(Link(each.title, reverse(each.url_name), each.contains(url_name)) for each in SECTIONS)
