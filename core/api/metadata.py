"""Responses to OPTIONS requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.metadata import SimpleMetadata
from typing_extensions import override

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView  # which reads this class from the settings while it is imported itself


class Metadata(SimpleMetadata):
    """DRF's metadata without `actions`: OpenAPI describes bodies, and DRF would look up an object."""

    @override
    def determine_actions(self, request: Request, view: APIView) -> dict[str, object]:
        return {}
