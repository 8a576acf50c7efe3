"""What goes wrong in a request, as an answer: `{"detail": ...}`, or the errors of a body by field.

Whatever a client sends is answered with a 4xx; what the database can't do at the moment is a 503, not an invalid
request and not a fault of ours.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig
from django.core.exceptions import ValidationError as ModelError
from django.db import DataError, InterfaceError, OperationalError
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response

from core.api.renderers import JSONRenderer

logger = structlog.get_logger(__name__)


class InvalidQuery(APIException):
    """A query parameter that can't be meant: 422."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "invalid"

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter} {problem}")


class UnprocessableBody(APIException):
    """A body that can be read but can't be meant: 422."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "invalid"


class TooLargeBody(APIException):
    """A body longer than is taken: 413."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."
    default_code = "too_large"


class Contradiction(APIException):
    """What was sent contradicts what is stored: 409."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class DatabaseOut(APIException):
    """The database can't be asked at the moment: 503."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database cannot be reached at the moment. Please try again."
    default_code = "database_out"


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to `error`; None for what is a fault of ours, which Django then reports."""
    from rest_framework.views import exception_handler  # which itself imports parsers that raise these errors

    response = exception_handler(_as_answerable(error), context)
    if response is not None:
        _answer_in_json(context)
    return response


def _as_answerable(error: Exception) -> Exception:
    if isinstance(error, ModelError):
        return ValidationError(error.message_dict if hasattr(error, "error_dict") else error.messages)
    if isinstance(error, RequestDataTooBig):
        return TooLargeBody()
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("database out", error=str(error))
        return DatabaseOut()
    if isinstance(error, DataError | UnicodeEncodeError):
        # A number or a text that no column can hold. Views check what they take; this is for what they missed.
        logger.warning("unstorable value", error=str(error))
        return UnprocessableBody("A value is not one that can be stored or looked for.")
    return error


def _answer_in_json(context: dict[str, Any]) -> None:
    """An error of a CSV export is no CSV. The browsable API keeps its page."""
    request = context.get("request")
    chosen = getattr(request, "accepted_renderer", None)
    if request is not None and chosen is not None and chosen.format not in ("json", "api"):
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
