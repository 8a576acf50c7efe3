"""What OPTIONS answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.metadata import SimpleMetadata

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView  # which reads this class from the settings while it is imported itself


class Metadata(SimpleMetadata):
    """DRF's, without a form for each method: the OpenAPI document tells bodies, and DRF would look for a row."""

    def determine_actions(self, request: Request, view: APIView) -> dict[str, Any]:
        return {}
