"""Signatures on the page of an alarm: taking them from its forms, and showing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest

from alarms.lifecycle.signatures import is_unchanged, signing_of
from alarms.models import Alarm, AlarmSignature
from customers.access.principal import Principal
from customers.access.reauthentication import confirm_password


@dataclass(frozen=True, slots=True)
class SignaturePresenter:
    """A signature as the page shows it, and whether its record is the one that was signed."""

    signature: AlarmSignature
    is_intact: bool


def signed(request: HttpRequest, principal: Principal, data: Mapping[str, str]) -> dict[str, object]:
    """Return a form's data as the arguments of the action, with the signature in place of meaning and password.

    Raise NotConfirmed if the password is wrong.
    """
    arguments: dict[str, object] = {name: value for name, value in data.items() if name not in ("meaning", "password")}
    if not data.get("meaning") or principal.user is None:
        return arguments
    confirm_password(request, principal.user, data["password"])
    return arguments | {"signing": signing_of(principal.user, data["meaning"])}


def present_signatures(alarm: Alarm) -> list[SignaturePresenter]:
    """Return the signatures of an alarm in order of time."""
    return [
        SignaturePresenter(signature, is_unchanged(signature))
        for signature in AlarmSignature.objects.filter(alarm=alarm).select_related("event")
    ]
