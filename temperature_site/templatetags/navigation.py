"""The links that stand on every page."""

from __future__ import annotations

from dataclasses import dataclass

from django import template
from django.template import Context
from django.urls import NoReverseMatch, reverse

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
def section_links(context: Context) -> list[Link]:
    """A link to each section, the one that holds this page marked as current. An error page is in none of them."""
    match = getattr(context.get("request"), "resolver_match", None)
    url_name = (match.url_name if match else None) or ""
    links = []
    for section in SECTIONS:
        try:
            links.append(Link(section.title, reverse(section.url_name), section.holds(url_name)))
        except NoReverseMatch:
            # A site put together without that part has no such section.
            continue
    return links
