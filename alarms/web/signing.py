"""Signatures on the page of an alarm: taking them from its forms, and showing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, JsonResponse

from alarms.lifecycle.signatures import is_unchanged, seen_hash, signing_of, subject_hash
from alarms.models import Alarm, AlarmSignature
from alarms.web.forms import SIGNATURE_FIELDS, SignedForm
from customers.access import passkey_confirmation
from customers.access.principal import Principal
from customers.access.reauthentication import confirm_password

Method = AlarmSignature.Method


@dataclass(frozen=True, slots=True)
class SignaturePresenter:
    """A signature as the page shows it, and whether its record is the one that was signed."""

    signature: AlarmSignature
    is_intact: bool


def signed(
    request: HttpRequest, principal: Principal, alarm: Alarm, action: str, form_data: Mapping[str, object]
) -> dict[str, object]:
    """Return a form's data as the arguments of the action, with the signature in place of what it was confirmed with.

    Raise NotConfirmed if the password is wrong, or the passkey confirmed something else. Either counts whatever becomes
    of the action, so call it outside of the action's transaction.
    """
    arguments = _arguments_of(form_data)
    meaning, user = str(form_data.get("meaning", "")), principal.user
    if not meaning or user is None:
        return arguments
    credential = form_data.get("credential")
    if not isinstance(credential, Mapping):
        confirm_password(request, user, str(form_data["password"]))
        return arguments | {"signing": signing_of(user, meaning)}
    subject = subject_hash(alarm, action, _texts(arguments, meaning), user)
    passkey_confirmation.confirm_passkey(user, subject, str(form_data["confirmation"]), credential)
    return arguments | {"signing": signing_of(user, meaning, Method.PASSKEY, seen_hash(alarm))}


def passkey_options(principal: Principal, alarm: Alarm, action: str, form: SignedForm) -> JsonResponse:
    """Return what the browser asks a passkey for, to sign what the form says; 400 with the problem if it can't."""
    user = principal.user
    if user is None or not passkey_confirmation.has_passkey(user):
        return JsonResponse({"problem": "Your account has no passkey. Add one on your account page."}, status=400)
    problems = form.problems_before_signing()
    if problems:
        return JsonResponse({"problem": " ".join(problems)}, status=400)
    meaning = str(form.cleaned_data["meaning"])
    subject = subject_hash(alarm, action, _texts(_arguments_of(form.cleaned_data), meaning), user)
    options, confirmation = passkey_confirmation.begin(user, subject)
    return JsonResponse({"request_options": options, "confirmation": confirmation})


def present_signatures(alarm: Alarm) -> list[SignaturePresenter]:
    """Return the signatures of an alarm in order of time."""
    return [
        SignaturePresenter(signature, is_unchanged(signature))
        for signature in AlarmSignature.objects.filter(alarm=alarm).select_related("event")
    ]


def _arguments_of(form_data: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in form_data.items() if name not in SIGNATURE_FIELDS}


def _texts(arguments: Mapping[str, object], meaning: str) -> dict[str, str]:
    return {name: str(value) for name, value in arguments.items()} | {"meaning": meaning}
