"""Content negotiation, and responses to OPTIONS requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.http.request import MediaType
from rest_framework.exceptions import NotAcceptable
from rest_framework.metadata import SimpleMetadata
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.utils.mediatypes import media_type_matches
from typing_extensions import override

from core.api.errors import InvalidQuery

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads these classes from the settings while it is imported itself

# Django parses no longer header.
_MAX_ACCEPT = 10_000


class ContentNegotiation(DefaultContentNegotiation):
    """Select the format by `?format=`, else by the Accept header; an unknown `?format=` gets a helpful error."""

    @override
    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> list[BaseRenderer]:
        renderers = list(renderers)
        matching = [renderer for renderer in renderers if renderer.format == format]
        if not matching:
            formats = ", ".join(str(renderer.format) for renderer in renderers)
            raise InvalidQuery("format", f"must be one of {formats}.")
        return matching

    @override
    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderers = list(renderers)
        wanted = format_suffix or request.query_params.get(self.settings.URL_FORMAT_OVERRIDE)
        if wanted:
            renderer = self.filter_renderers(renderers, wanted)[0]
            return renderer, str(renderer.media_type)
        # Most programs accept anything: give them the first renderer without the cost of negotiation.
        accept = request.META.get("HTTP_ACCEPT") or "*/*"
        if accept == "*/*":
            return renderers[0], str(renderers[0].media_type)
        try:
            renderer, media_type = super().select_renderer(request, _preferred(renderers, accept))
        except NotAcceptable as error:
            available = ", ".join(str(renderer.media_type) for renderer in renderers)
            raise NotAcceptable(f"Available: {available}.") from error
        return renderer, str(media_type)


def _preferred(renderers: list[BaseRenderer], accept: str) -> list[BaseRenderer]:
    """Return the renderers of the highest quality, of which DRF, which ignores qualities, selects one."""
    if "q=" not in accept or len(accept) > _MAX_ACCEPT:
        return renderers
    accepted = [(media_range, MediaType(media_range)) for media_range in accept.split(",")]
    qualities = []
    for renderer in renderers:
        matching = [range_ for text, range_ in accepted if media_type_matches(str(renderer.media_type), text)]
        # The most specific range tells the quality of a type.
        most_specific = max(matching, key=lambda range_: (range_.specificity, range_.quality), default=None)
        qualities.append(most_specific.quality if most_specific else 0)
    best = max(qualities)
    return [renderer for renderer, quality in zip(renderers, qualities, strict=True) if quality == best and quality > 0]


class Metadata(SimpleMetadata):
    """DRF's metadata without `actions`: OpenAPI describes bodies, and DRF would look up an object."""

    @override
    def determine_actions(self, request: Request, view: APIView) -> dict[str, object]:
        return {}
