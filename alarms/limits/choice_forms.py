"""The base of forms that choose a unit's limits or edit a profile: what does not apply is rejected, not ignored."""

from __future__ import annotations

from django import forms
from typing_extensions import override

from alarms.limits.profiles import VALUE_NAMES, limit_values
from alarms.models import LimitProfile, UnitLimits
from alarms.models.limits import BUDGETS
from core.web.versioned_forms import VersionedForm

# Fields that only apply if another one is filled in.
DEPENDENT = {budget.window: budget.seconds for budget in BUDGETS} | {"mkt_window_seconds": "mkt_limit_c"}


class ProfileLimitsForm(VersionedForm[LimitProfile]):
    """Edit the limits of a profile. A value that the browser did not send, because it does not apply, is kept."""

    @override
    def full_clean(self) -> None:
        keep_unsent_values(self, [name for name in VALUE_NAMES if name in self.fields and self.fields[name].required])
        super().full_clean()

    @override
    def clean(self) -> None:
        super().clean()
        reject_unused_windows(self)


class UnitLimitsChoiceForm(VersionedForm[UnitLimits]):
    """Choose a profile or custom limits, which begin with the values of the unit's profile.

    With a profile no other values can be entered: browsers disable their fields and do not send them.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.profile is not None:
            # Set once: validation changes the instance, but what is stored stays the same.
            self.initial = {**self.initial, **limit_values(self.instance)}

    @override
    def full_clean(self) -> None:
        has_profile = bool(self.data.get(self.add_prefix("profile")))
        keep_unsent_values(self, [name for name in VALUE_NAMES if has_profile or self.fields[name].required])
        super().full_clean()

    @override
    def clean(self) -> None:
        super().clean()
        profile = self.cleaned_data.get("profile")
        if profile is None:
            reject_unused_windows(self)
            return
        for name in self.fields.keys() & set(VALUE_NAMES) & set(self.changed_data):
            self.add_error(name, f"The limits of the profile {profile} apply. Select custom limits to change this.")


def keep_unsent_values(form: forms.BaseForm, names: list[str]) -> None:
    """Keep the values of these fields if they are not part of the data that was sent."""
    for name in names:
        form.fields[name].disabled = form.is_bound and form.add_prefix(name) not in form.data


def reject_unused_windows(form: forms.BaseForm) -> None:
    """Reject a window that was changed without the limit that it belongs to."""
    for window, limit in DEPENDENT.items():
        if window in form.changed_data and form.cleaned_data.get(limit) is None and limit not in form.errors:
            label = form.fields[limit].label
            form.add_error(window, f"The window only applies together with “{label}”. Enter it, too.")
