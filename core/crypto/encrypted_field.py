"""A model field whose text is encrypted in the database and decrypted only on request."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from django.utils.text import capfirst

from core.crypto.encryption import decrypt, encrypt


class Secret:
    """A text that is kept encrypted; only `reveal` decrypts it.

    Loading a row never decrypts: a page that lists sources works whichever keys are configured. Only what needs an
    unreadable secret fails, with a message that says what to do.
    """

    __slots__ = ("token",)

    def __init__(self, token: str) -> None:
        self.token = token

    @classmethod
    def of(cls, plain: str) -> "Secret":
        """Encrypt a text. An empty text gives an empty Secret, which is false."""
        return cls(encrypt(plain) if plain else "")

    def reveal(self) -> str:
        """Return the decrypted text. Raise SecretUnreadable."""
        return decrypt(self.token) if self.token else ""

    def __bool__(self) -> bool:
        return bool(self.token)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.token == self.token

    def __hash__(self) -> int:
        return hash(self.token)

    def __str__(self) -> str:
        return "***" if self.token else ""

    def __repr__(self) -> str:
        return f"<Secret {self}>"


class _SecretAttribute(DeferredAttribute):
    """Encrypt a text when it is assigned, so that no instance holds it in plain text."""

    def __set__(self, instance: models.Model, value: Secret | str | None) -> None:
        instance.__dict__[self.field.attname] = Secret.of(value) if isinstance(value, str) else value


if TYPE_CHECKING:
    _TextField = models.TextField[Secret | str | None, Secret]
else:
    _TextField = models.TextField


class EncryptedTextField(_TextField):
    """Text that is stored encrypted. Assign a str; read a `Secret` (or None) and call its `reveal()`.

    An unreadable Secret is saved unchanged. `isnull` is the only lookup, because encrypting a text twice gives
    different tokens. In a form, an empty input keeps the stored secret.
    """

    descriptor_class = _SecretAttribute

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Secret | None:
        """Return the stored token as a Secret."""
        return None if value is None else Secret(value)

    def to_python(self, value: Any) -> Any:
        """Return a text as a Secret; return a Secret or None unchanged."""
        return Secret.of(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        """Return the token to store."""
        secret = self.to_python(value)
        return None if secret is None else secret.token

    def value_to_string(self, obj: models.Model) -> str:
        """Return an empty string: fixtures contain no secrets, not even encrypted ones."""
        return ""

    def get_lookup(self, lookup_name: str) -> Any:
        """Return the `isnull` lookup, and None for all others, so that Django raises FieldError."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def get_transform(self, lookup_name: str) -> None:
        """Return None: an encrypted token has no transforms."""
        return

    def formfield(self, **kwargs: Any) -> Any:
        """Return a password input, which never shows the stored secret."""
        return forms.CharField(
            label=kwargs.get("label", capfirst(self.verbose_name)),
            help_text=kwargs.get("help_text", self.help_text),
            required=False,
            strip=False,
            widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        )

    def save_form_data(self, instance: models.Model, data: Any) -> None:
        """Store the submitted secret; an empty input keeps the stored one."""
        if data:
            setattr(instance, self.attname, data)
