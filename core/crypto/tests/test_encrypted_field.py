"""A model field whose text is encrypted in the database."""

from __future__ import annotations

import logging
from typing import ClassVar

import pytest
from django.core.exceptions import FieldError
from django.db import connection, models
from pytest_django import Settings

from core.crypto.encrypted_field import EncryptedTextField, Secret
from core.crypto.encryption import SecretUnreadable


@pytest.fixture(autouse=True)
def _one_key(settings: Settings) -> None:
    settings.SOURCE_CREDENTIALS_KEYS = ["first secret"]
    settings.SECRET_KEY_FALLBACKS = []


class Login(models.Model):
    """A model for these tests; it has no table."""

    secret = EncryptedTextField(null=True, blank=True)  # type: ignore[misc]  # typed for the packages' fields, never null

    objects: ClassVar[models.Manager[Login]] = models.Manager()

    class Meta:
        app_label = "tests_of_the_encrypted_field"  # none that is installed: migrations must not see it
        managed = False


def test_an_assigned_text_is_encrypted_immediately_and_never_displayed(caplog: pytest.LogCaptureFixture) -> None:
    login = Login(secret="hunter2")

    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%s %r %s", login.secret, login.secret, vars(login))

    assert isinstance(login.secret, Secret)
    assert login.secret.reveal() == "hunter2"
    assert "hunter2" not in caplog.text
    assert str(login.secret) == "***"
    assert repr(login.secret) == "<Secret ***>"


def test_a_field_stores_and_loads_the_token_without_decrypting_it(settings: Settings) -> None:
    field = Login._meta.get_field("secret")
    stored = field.get_prep_value("hunter2")
    settings.SOURCE_CREDENTIALS_KEYS = ["another secret"]

    loaded = Login.from_db("default", ["id", "secret"], [1, field.from_db_value(stored, None, connection)])

    assert repr(loaded.secret) == "<Secret ***>"
    assert field.get_prep_value(loaded.secret) == stored
    with pytest.raises(SecretUnreadable):
        loaded.secret.reveal()


def test_none_and_the_empty_text_are_false() -> None:
    field = Login._meta.get_field("secret")

    assert field.from_db_value(None, None, connection) is None
    assert field.get_prep_value(None) is None
    assert field.get_prep_value("") == ""
    assert Login(secret=None).secret is None
    assert not Login(secret="").secret
    assert Login(secret="").secret.reveal() == ""


@pytest.mark.parametrize("lookup", ["secret", "secret__exact", "secret__contains", "secret__in", "secret__length"])
def test_encrypted_text_cannot_be_looked_up(lookup: str) -> None:
    with pytest.raises(FieldError):
        Login.objects.filter(**{lookup: "hunter2"})


def test_rows_with_a_secret_can_be_selected() -> None:
    assert "IS NULL" in str(Login.objects.filter(secret__isnull=True).query)


def test_a_form_never_shows_the_secret_and_an_empty_input_keeps_it() -> None:
    field = Login._meta.get_field("secret")
    login = Login(secret="hunter2")

    html = field.formfield().widget.render("secret", login.secret)
    field.save_form_data(login, "")
    kept = login.secret.reveal()
    field.save_form_data(login, " new one ")

    assert "value" not in html
    assert kept == "hunter2"
    assert login.secret.reveal() == " new one "


def test_a_fixture_contains_no_secret() -> None:
    assert Login._meta.get_field("secret").value_to_string(Login(secret="hunter2")) == ""
