"""The types of what the test clients return, and of decoded JSON, under names that annotations can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    # The stubs know the attributes that the clients add (`json()`, `context`), under names that exist only there.
    from django.test.client import _MonkeyPatchedWSGIResponse as PageResponse
    from rest_framework.response import _MonkeyPatchedResponse as ApiResponse
else:
    from django.http import HttpResponse as PageResponse
    from rest_framework.response import Response as ApiResponse

__all__ = ["ApiResponse", "Json", "PageResponse"]

# A decoded document. Tests index into it as deep as they expect it to be; a wrong shape fails there.
Json: TypeAlias = Any
