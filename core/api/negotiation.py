"""The format of a response: by `?format=`, else by the Accept header."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from typing_extensions import override

from core.api.errors import InvalidQuery


class ContentNegotiation(DefaultContentNegotiation):
    """DRF's negotiation with a helpful error for an unknown `?format=`."""

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
        # Most programs accept anything: they get the first renderer without the cost of negotiation.
        accepts_anything = request.META.get("HTTP_ACCEPT", "*/*") == "*/*"
        if accepts_anything and not format_suffix and self.settings.URL_FORMAT_OVERRIDE not in request.query_params:
            return renderers[0], str(renderers[0].media_type)
        try:
            renderer, media_type = super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable as error:
            available = ", ".join(str(renderer.media_type) for renderer in renderers)
            raise NotAcceptable(f"Available: {available}.") from error
        return renderer, str(media_type)
