"""What was stored before its secrets were encrypted is encrypted by migrations, and can be decrypted by them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from alarms.models import Channel
from customers.models import Customer
from ingestion.models import Source
from tests.alarm_factories import WebhookChannelFactory
from tests.factories import CustomerFactory, SourceFactory

pytestmark = pytest.mark.django_db

URL = "https://cold.example.com/data?key=open-sesame"


@pytest.mark.parametrize(
    ("migration", "factory", "model", "field", "shown"),
    [
        (
            "ingestion.migrations.0020_token_url_secret",
            SourceFactory,
            Source,
            "token_url",
            "https://cold.example.com/data?key=***",
        ),
        (
            "customers.migrations.0019_api_url_secret",
            CustomerFactory,
            Customer,
            "api_url",
            "https://cold.example.com/data?key=***",
        ),
        (
            "alarms.migrations.0017_address_secret",
            WebhookChannelFactory,
            Channel,
            "address",
            "https://cold.example.com/***",
        ),
    ],
)
def test_a_stored_url_is_encrypted_and_decrypted(
    migration: str, factory: Any, model: type[Source | Customer | Channel], field: str, shown: str
) -> None:
    row = factory()
    model.objects.filter(pk=row.pk).update(**{field: URL})
    module = import_module(migration)

    module.hide_secrets(apps, None)

    stored = model.objects.get(pk=row.pk)
    assert getattr(stored, field) == shown
    assert stored.whole_url(field) == URL

    module.show_secrets(apps, None)

    assert getattr(model.objects.get(pk=row.pk), field) == URL


def test_a_stored_body_is_encrypted_and_decrypted_and_an_address_of_s3_loses_its_secrets() -> None:
    body = '{"station": "{unit}", "password": "open-sesame"}'
    row = SourceFactory()
    Source.objects.filter(pk=row.pk).update(
        request_body=body, endpoint_url="https://me:open@s3.example.com:9000/?key=a"
    )
    module = import_module("ingestion.migrations.0024_request_body_secret")

    module.hide_secrets(apps, None)

    stored = Source.objects.get(pk=row.pk)
    assert stored.request_body == '{"station": "{unit}", "password": "***"}'
    assert (stored.whole_request_body, stored.endpoint_url) == (body, "https://s3.example.com:9000")

    module.show_secrets(apps, None)

    assert Source.objects.get(pk=row.pk).request_body == body
