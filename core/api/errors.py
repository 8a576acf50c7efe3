"""Errors of the REST API as responses: `{"detail": ...}`, or the errors of a body by field.

Invalid input of any kind is a 4xx. A database that is unavailable is a 503, neither an invalid request nor a bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog
from django.core.exceptions import RequestDataTooBig
from django.core.exceptions import ValidationError as ModelError
from django.db import DataError, InterfaceError, InternalError, OperationalError
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.renderers import JSONRenderer
from core.db.conflicts import DataUnavailable, cause_of

_MAX_NAMES, _MAX_NAME_LENGTH = 10, 100
_MAX_VALUE_LENGTH = 200

logger = structlog.get_logger(__name__)


class InvalidQuery(APIException):
    """A query parameter that is invalid: 422."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "invalid"

    def __init__(self, parameter: str, problem: str) -> None:
        """Compose the message: the parameter's name, followed by the problem ("must be a UUID.")."""
        super().__init__(f"{parameter} {problem[:1].lower()}{problem[1:]}")


class UnprocessableBody(APIException):
    """A well-formed body whose content is not acceptable: 422."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "invalid"


class TooLargeBody(APIException):
    """A body that exceeds the size limit: 413."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."
    default_code = "too_large"


class Unavailable(APIException):
    """A request that could not be carried out in time, and can be repeated: 503."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The request took too long. Nothing was stored; repeat it later."
    default_code = "unavailable"


class Conflict(APIException):
    """A request that contradicts the stored state: 409."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class ChangedMeanwhile(APIException):
    """A change of a version that is no longer the present one: 412, with the present `ETag` and values."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "changed_meanwhile"

    def __init__(self, etag: str, stored: Mapping[str, object]) -> None:
        """Compose the message, and keep the ETag for the response. `stored`: what is stored now of what it is about."""
        values = "; ".join(f"{name}: {_short(value)}" for name, value in stored.items())
        super().__init__(
            "The object was changed meanwhile."
            + (f" Stored now: {values}." if values else "")
            + " Get it again, and repeat the change if it still applies."
        )
        self.etag = etag


def _short(value: object) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[:_MAX_VALUE_LENGTH]}…"


class DatabaseUnavailable(APIException):
    """A database that cannot be reached at the moment: 503."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database is temporarily unavailable. Please try again."
    default_code = "database_out"


def refuse_unknown(names: Iterable[str], known: Iterable[str], kind: str) -> None:
    """Raise ValidationError (400), naming unknown names and the known ones; `kind`: such as "query parameter"."""
    unknown = sorted(set(names) - set(known))
    if not unknown:
        return
    shown = ", ".join(name[:_MAX_NAME_LENGTH] for name in unknown[:_MAX_NAMES])
    expected = f"Known: {', '.join(sorted(known))}." if known else "There are none here."
    raise ValidationError({"detail": f"Unknown {kind}{'s' if len(unknown) > 1 else ''}: {shown}. {expected}"})


def handle_exception(error: Exception, context: Mapping[str, object]) -> Response | None:
    """Return the response to `error`, or None for a bug, which Django then reports."""
    from rest_framework.views import exception_handler  # which itself imports parsers that raise these errors

    response = exception_handler(_as_api_exception(error), dict(context))
    request = context.get("request")
    if response is not None and isinstance(error, ChangedMeanwhile):
        response.headers["ETag"] = error.etag
    if response is not None and isinstance(request, Request):
        _respond_in_json(request)
    return response


def _as_api_exception(error: Exception) -> Exception:
    if isinstance(error, ModelError):
        return ValidationError(error.message_dict if hasattr(error, "error_dict") else error.messages)
    if isinstance(error, RequestDataTooBig):
        return TooLargeBody()
    if isinstance(error, OperationalError | InterfaceError) or (isinstance(error, InternalError) and cause_of(error)):
        logger.error("database unavailable", error=str(error))
        return DatabaseUnavailable(cause_of(error) or None)
    if isinstance(error, DataUnavailable):
        logger.error("data unavailable", error=str(error))
        return Unavailable(str(error))
    if isinstance(error, DataError | UnicodeEncodeError):
        # A number or text that no column can hold. Views validate their input; this catches what they miss.
        logger.warning("unstorable value", error=str(error))
        return UnprocessableBody("A value cannot be stored or searched for.")
    return error


def _respond_in_json(request: Request) -> None:
    """Render errors of streamed formats as JSON. The browsable API keeps its page."""
    renderer = getattr(request, "accepted_renderer", None)
    if renderer is not None and renderer.format not in ("json", "api"):
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
