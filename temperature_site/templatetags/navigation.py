"""The links that stand on every page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from django import template
from django.template import Context
from django.urls import get_script_prefix, reverse

register = template.Library()


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the site: its first page by name, and how the names of its other pages begin."""

    title: str
    url_name: str
    others: tuple[str, ...] = ()

    def holds(self, url_name: str) -> bool:
        """Is the page of this name one of the section's?"""
        return url_name == self.url_name or url_name.startswith(self.others)


SECTIONS = (
    Section("Overview", "overview"),
    Section("Alarms", "alarms", ("alarm",)),
    Section("Facilities", "facilities", ("facility", "unit")),
    Section("Analytics", "analytics", ("analytics",)),
    Section("Feeds", "feeds", ("feed",)),
    Section("Settings", "settings", ("settings", "password-change")),
)


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    address: str
    is_current: bool

    @property
    def has_alarm_count(self) -> bool:
        """Does the number of open alarms stand beside it?"""
        return self.title == "Alarms"


@register.simple_tag(takes_context=True)
def section_links(context: Context) -> tuple[Link, ...]:
    """A link to each section, the one that holds this page marked as current. An error page is in none of them."""
    match = getattr(context.get("request"), "resolver_match", None)
    return _links((match.url_name if match else None) or "", get_script_prefix())


# Every page has them, and there are as many as pages.
@lru_cache(maxsize=1_000)
def _links(url_name: str, script_prefix: str) -> tuple[Link, ...]:
    """The links of the page of that name, for a site below `script_prefix`, which `reverse` puts before each."""
    return tuple(Link(each.title, reverse(each.url_name), each.holds(url_name)) for each in SECTIONS)
