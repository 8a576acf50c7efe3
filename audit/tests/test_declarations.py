"""The list of what is recorded is complete and names what exists."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models

from audit.declarations import AUDITED, NOT_AUDITED, AuditedModel
from core.crypto.encrypted_field import EncryptedTextField

MODELS = {
    model._meta.label_lower: model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy
}
SECRET_WORDS = ("secret", "password", "hash", "key_data")


def columns_of(audited: AuditedModel) -> dict[str, models.Field[object, object]]:
    """Return the columns of a listed model."""
    return {field.attname: field for field in MODELS[audited.model]._meta.concrete_fields}


def test_every_model_is_recorded_or_says_why_not() -> None:
    listed = [audited.model for audited in AUDITED] + list(NOT_AUDITED)

    assert sorted(listed) == sorted(MODELS)


@pytest.mark.parametrize("audited", AUDITED, ids=lambda audited: audited.model)
def test_the_listed_columns_exist(audited: AuditedModel) -> None:
    named = {*audited.hot, *audited.secret, *audited.urls, *audited.only, *audited.needs_reason}

    assert named - {"INSERT", "UPDATE", "DELETE"} <= columns_of(audited).keys()


@pytest.mark.parametrize("audited", AUDITED, ids=lambda audited: audited.model)
def test_no_secret_is_recorded(audited: AuditedModel) -> None:
    secret = {
        name
        for name, field in columns_of(audited).items()
        if isinstance(field, EncryptedTextField | models.BinaryField)
        or (isinstance(field, models.CharField | models.TextField) and any(word in name for word in SECRET_WORDS))
    }

    assert secret <= {*audited.secret, *audited.hot}


@pytest.mark.parametrize("audited", AUDITED, ids=lambda audited: audited.model)
def test_a_row_of_a_customer_is_recorded_as_that_customers(audited: AuditedModel) -> None:
    model = MODELS[audited.model]
    refers_to_a_customer = any(
        field.name in ("customer", "facility", "storage_unit", "rule", "apitoken") for field in model._meta.fields
    )

    assert not refers_to_a_customer or audited.customer or hasattr(model, "SCOPE")
