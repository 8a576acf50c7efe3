"""The admin of API tokens, which are shown once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from core.web.admin import FewRelatedFilter, VersionedAdmin, badge
from core.web.versioned_forms import VersionedForm
from customers.access.tokens import create_token, foreign_units, revoke
from customers.models import ApiToken


class ApiTokenForm(VersionedForm[ApiToken]):
    """The form of a token. One that exists can only be given more by a superuser, and not if another token created it.

    `is_superuser`: whether the person who edits it is one.
    """

    is_superuser = False

    permissions = forms.MultipleChoiceField(
        choices=ApiToken.Permission.choices, widget=forms.CheckboxSelectMultiple, initial=[ApiToken.Permission.READ]
    )

    @override
    def clean(self) -> dict[str, object]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        customer = cleaned.get("customer") or (self.instance.customer if self.instance.pk else None)
        if customer and (foreign := foreign_units(customer, cleaned.get("accessible_units") or [])):
            self.add_error("accessible_units", f"These units are not {customer.customer_code}'s: {', '.join(foreign)}.")
        if self.instance.pk and (self.instance.created_by_token_id is not None or not self.is_superuser):
            for name in _wider(self.instance, cleaned):
                self.add_error(name, "A token that exists cannot be given more. Create another one.")
        return cleaned


def _wider(token: ApiToken, changed: dict[str, Any]) -> list[str]:
    """Return the fields by which the changed values give a token more than it has."""
    wider = [] if set(changed.get("permissions", ())) <= set(token.permissions) else ["permissions"]
    if token.is_limited_to_units and "accessible_units" in changed:
        units = {unit.pk for unit in changed["accessible_units"]}
        if not units or not units <= set(token.accessible_units.values_list("pk", flat=True)):
            wider.append("accessible_units")
    for name in ("rate_limit_per_hour", "expires_at"):
        limit = getattr(token, name)
        if name in changed and limit is not None and (changed[name] is None or changed[name] > limit):
            wider.append(name)
    return wider


class UsabilityFilter(admin.SimpleListFilter):
    """Filter tokens by whether they can be used."""

    title = "state"
    parameter_name = "state"

    @override
    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("usable", "usable"), ("expired", "expired"), ("revoked", "revoked")]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        expired = Q(expires_at__lte=timezone.now())
        match self.value():
            case "usable":
                return queryset.filter(~expired, revoked_at=None)
            case "expired":
                return queryset.filter(expired, revoked_at=None)
            case "revoked":
                return queryset.exclude(revoked_at=None)
        return queryset


@admin.register(ApiToken)
class ApiTokenAdmin(VersionedAdmin[ApiToken]):
    """Tokens are created here and shown once; later they are identified by their prefix, and revoked, never deleted."""

    form = ApiTokenForm
    list_display = ["token_name", "usability", "prefix", "customer", "carries", "expires_at", "last_used_at"]
    list_select_related = ["customer"]
    list_filter = [UsabilityFilter, ("customer", FewRelatedFilter)]
    search_fields = ["token_name", "prefix", "customer__customer_code"]
    autocomplete_fields = ["customer", "accessible_units"]
    actions = ["revoke"]
    fieldsets = [
        (None, {"fields": ["customer", "token_name", "permissions", "accessible_units"]}),
        ("Limits", {"fields": ["expires_at", "rate_limit_per_hour"]}),
        (
            "Record",
            {"fields": ["prefix", "source_public_id", "revoked_at", "last_used_at", "created_at", "created_by"]},
        ),
    ]

    @override
    def get_form(
        self, request: HttpRequest, obj: ApiToken | None = None, change: bool = False, **kwargs: object
    ) -> type[forms.ModelForm[ApiToken]]:
        form = super().get_form(request, obj, change, **kwargs)
        form.is_superuser = request.user.is_superuser  # type: ignore[attr-defined]  # a class made for this request
        return form

    @override
    def get_fieldsets(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else self.fieldsets[:-1]

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> list[str]:
        record = ["prefix", "source_public_id", "revoked_at", "last_used_at", "created_at", "created_by"]
        return ["customer", *record] if obj else record

    @override
    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiToken, form: forms.ModelForm[ApiToken], change: bool) -> None:
        """Change the token, or create it and show its text once."""
        if change:
            super().save_model(request, obj, form, change)
            return
        token, text = create_token(
            obj.customer,
            obj.token_name,
            obj.permissions,
            units=form.cleaned_data["accessible_units"],
            rate_limit_per_hour=obj.rate_limit_per_hour,
            expires_at=obj.expires_at,
            created_by=request.user if request.user.is_authenticated else None,
        )
        # The admin continues with `obj`, which must be the row just created.
        obj.pk = token.pk
        obj.refresh_from_db()
        self.message_user(
            request,
            format_html("Copy the token now; it is shown only once: <code>{}</code>", text),
            messages.WARNING,
        )

    @admin.display(description="state")
    def usability(self, token: ApiToken) -> SafeString:
        """Return whether the token can be used as a badge."""
        if token.revoked_at is not None:
            return badge("revoked", "neutral")
        return badge("usable", "good") if token.is_usable_at(timezone.now()) else badge("expired", "warning")

    @admin.display(description="permissions")
    def carries(self, token: ApiToken) -> str:
        """Return the permissions."""
        return ", ".join(token.permissions)

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        """Revoke the selected tokens."""
        self.message_user(request, f"Tokens revoked: {revoke(tokens)}.")
