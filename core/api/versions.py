"""Concurrent changes of objects: `ETag` states an object's version, and `If-Match` changes that version only.

A version is that of what can be changed: a new reading changes a storage unit's current temperature, but not its
version. Changes without `If-Match` are applied to the object as it is, field by field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import TypeVar

from django.db import models, transaction
from django.shortcuts import get_object_or_404
from django.utils.http import parse_etags
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer

from core.api.errors import ChangedMeanwhile
from core.api.fields import AnySerializer

M = TypeVar("M", bound=models.Model)
_VERSION_LENGTH = 20


@cache
def changeable_attributes(serializer_class: type[AnySerializer]) -> tuple[str, ...]:
    """Return the names of the model's attributes that the serializer can change, secrets excepted."""
    return tuple(_changeable(serializer_class()))


def _changeable(serializer: AnySerializer) -> Iterator[str]:
    for field in serializer.fields.values():
        if isinstance(field, Serializer) and field.source == "*":
            yield from _changeable(field)
        elif not field.read_only and not field.write_only:
            yield str(field.source)


def etag_of(row: models.Model, serializer_class: type[AnySerializer]) -> str:
    """Return the strong ETag of an object as it is stored."""
    names = changeable_attributes(serializer_class)
    return etag_of_values(
        [(name, getattr(row, row._meta.get_field(name).attname)) for name in names]  # type: ignore[union-attr]  # columns
    )


def etag_of_new(row: models.Model, serializer_class: type[AnySerializer]) -> str:
    """Return the ETag of an object that was saved in this transaction."""
    return etag_of(type(row)._base_manager.get(pk=row.pk), serializer_class)


def etag_of_values(values: object) -> str:
    """Return the strong ETag of what can be changed about a resource; `values` has the same `repr` while it is so."""
    return f'"{sha256(repr(values).encode()).hexdigest()[:_VERSION_LENGTH]}"'


def require_match(request: Request, etag: str, stored: Callable[[], Mapping[str, object]]) -> None:
    """Raise ChangedMeanwhile (412) unless the request accepts this version; without `If-Match` it accepts any.

    `stored` returns what is stored now of what the change is about, for the message.
    """
    header = request.headers.get("If-Match")
    if header is None:
        return
    # A compressed response has a weak ETag, which names the same version.
    accepted = {each.removeprefix("W/") for each in parse_etags(header)}
    if "*" not in accepted and etag not in accepted:
        raise ChangedMeanwhile(etag, stored())


class VersionedView(GenericAPIView[M]):
    """A view of an object that sends its ETag, and changes it under a lock if `If-Match` accepts its version."""

    is_versioned = True

    def versioned(self, row: models.Model, data: Mapping[str, object]) -> Response:
        """Return the response with the object's ETag. `row` must be as it is stored."""
        return Response(data, headers={"ETag": self.etag(row)})

    def etag(self, row: models.Model) -> str:
        """Return the ETag of an object as it is stored."""
        return etag_of(row, self._serializer_class())

    @contextmanager
    def locking(self, request: Request, row: M) -> Iterator[M]:
        """Yield the locked object, to be changed. Raise ChangedMeanwhile."""
        with transaction.atomic():
            locked = self.lock(row)
            require_match(request, self.etag(locked), lambda: self.stored(request, locked))
            yield locked

    @contextmanager
    def changing(self, request: Request, row: M) -> Iterator[BaseSerializer[M]]:
        """Yield the valid serializer of the locked object, to be saved. Raise ChangedMeanwhile or ValidationError."""
        with self.locking(request, row) as locked:
            serializer = self.get_serializer(locked, data=request.data, partial=True)
            serializer.is_valid(raise_exception=True)
            yield serializer

    def stored(self, request: Request, row: M) -> Mapping[str, object]:
        """Return the stored values of the fields that the request would change, secrets excepted."""
        shown = self.get_serializer(row).data
        sent = request.data if isinstance(request.data, Mapping) else {}
        return {name: shown[name] for name in sent if name in shown}

    def lock(self, row: M) -> M:
        """Return the object as it is now, locked until the end of the transaction. Raise Http404 if it is deleted."""
        locked: M = get_object_or_404(type(row)._base_manager.select_for_update(no_key=True), pk=row.pk)
        return locked

    def _serializer_class(self) -> type[AnySerializer]:
        return self.get_serializer_class()  # type: ignore[return-value]  # serializers of one object
