"""The sign-in form, for people and for tokens."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.core.exceptions import ValidationError
from django.utils import timezone
from typing_extensions import override

from customers.access.token_sessions import token_for_sign_in
from customers.models import ApiToken


class SignInForm(AuthenticationForm):
    """A user name and password, or a customer's code and one of its API tokens.

    Valid with `get_user()` or `token`, never with both. The error does not reveal which part was wrong.
    """

    username = UsernameField(
        label="User name or customer code", widget=forms.TextInput(attrs={"autofocus": True, "maxlength": 150})
    )
    password = forms.CharField(
        label="Password or API token",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": (
            "Please enter a correct user name and password, or a customer code and one of the customer's tokens with"
            " read permission. Both fields are case-sensitive."
        ),
    }
    token: ApiToken | None = None

    @override
    def clean(self) -> dict[str, object]:
        name, secret = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if name and secret:
            self.token = token_for_sign_in(name, secret.strip(), timezone.now())
        if self.token is not None:
            return self.cleaned_data
        try:
            return super().clean()
        except ValidationError as error:
            # Django's message has a placeholder for the label of the user name; this one has none.
            raise self.get_invalid_login_error() from error
