"""The forms of the account pages: signing in, for people and for tokens, and a new person's account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm, UsernameField
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from typing_extensions import override

from customers.access.token_sessions import token_for_sign_in
from customers.models import ApiToken, Invitation


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


class AddressForm(forms.Form):
    """The address of the account whose password was forgotten."""

    email = forms.EmailField(
        label="E-mail address of your account", max_length=254, widget=forms.EmailInput({"autocomplete": "email"})
    )


if TYPE_CHECKING:
    PasswordForm = SetPasswordForm[User]
else:
    PasswordForm = SetPasswordForm  # generic in the stubs only


class NewPasswordForm(PasswordForm):
    """Django's form of a new password, which saves nothing else: the operator may be deactivating the account."""

    @override
    def save(self, commit: bool = True) -> User:
        user = super().save(commit=False)
        user.save(update_fields=["password"])
        return user


class ChangedPasswordForm(NewPasswordForm, PasswordChangeForm):
    """The same, which asks for the present password."""


class NewAccountForm(PasswordForm):
    """The name and password of the account that an invited person creates."""

    first_name = forms.CharField(max_length=150, required=False, widget=forms.TextInput({"autocomplete": "given-name"}))
    last_name = forms.CharField(max_length=150, required=False, widget=forms.TextInput({"autocomplete": "family-name"}))
    field_order = ["first_name", "last_name", "new_password1", "new_password2"]

    def __init__(self, invitation: Invitation, data: QueryDict | None = None) -> None:
        # Not saved: the password is compared with the name and the address.
        super().__init__(User(username=invitation.email.lower(), email=invitation.email), data)
