"""Fast output of lists: the same as the serializer's own, field by field."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.http import Http404
from rest_framework import serializers

from core.api.serializer_rows import SerializerRows
from customers.models import Facility
from tests.factories import FacilityFactory


class ExampleSerializer(serializers.Serializer[object]):
    """Fields of every kind of source."""

    id = serializers.UUIDField(source="public_id")
    customer_id = serializers.UUIDField(source="customer.public_id")
    secret = serializers.CharField(write_only=True)
    size = serializers.IntegerField(source="*")
    name = serializers.CharField()


ROWS = SerializerRows(ExampleSerializer)


@pytest.mark.django_db
def test_rows_have_the_fields_of_the_serializer_in_their_order() -> None:
    facility = FacilityFactory(name="Oxford")
    rows = list(ROWS.values(Facility.objects.all(), "city"))
    assert len(rows[0]) == len(ROWS.names) + 1
    [representation] = ROWS.represent(rows)
    assert list(representation.items()) == [
        ("id", str(facility.public_id)),
        ("customer_id", str(facility.customer.public_id)),
        ("size", None),
        ("name", "Oxford"),
    ]
    assert ROWS.get(Facility.objects.all()) == representation


@pytest.mark.django_db
def test_no_row_is_404() -> None:
    with pytest.raises(Http404):
        ROWS.get(Facility.objects.all())


def test_objects_are_read_by_the_sources_of_the_fields() -> None:
    each = SimpleNamespace(public_id=1, customer=SimpleNamespace(public_id=2), name="Oxford")
    assert ROWS.represent_objects([each]) == [{"id": 1, "customer_id": 2, "size": None, "name": "Oxford"}]
