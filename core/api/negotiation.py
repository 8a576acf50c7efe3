"""Which format an answer has: by `?format=`, else by the Accept header."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from core.api.errors import InvalidQuery


class ContentNegotiation(DefaultContentNegotiation):
    """DRF's, with a clear answer to a `?format=` that there is not."""

    def filter_renderers(self, renderers: Any, format: str) -> Any:
        known = [renderer for renderer in renderers if renderer.format == format]
        if not known:
            formats = ", ".join(renderer.format for renderer in renderers)
            raise InvalidQuery("format", f"must be one of {formats}.")
        return known

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        # Programs ask for anything: they get the first, without that it is weighed against the others.
        is_anything = request.META.get("HTTP_ACCEPT", "*/*") == "*/*"
        if is_anything and not format_suffix and self.settings.URL_FORMAT_OVERRIDE not in request.query_params:
            return renderers[0], renderers[0].media_type
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable as error:
            error.detail = f"Available: {', '.join(renderer.media_type for renderer in renderers)}."  # type: ignore[assignment]
            raise
