"""The admin of customers, facilities, sensors and people."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import User
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from audit.models import NAME_WAS_GIVEN, GivenUserName
from core.web.admin import DeletesOnlyUnused, FewRelatedFilter, VersionedAdmin, badge, count_of, list_link
from core.web.versioned_forms import VersionedForm
from customers import token_admin  # noqa: F401  registers its model on import
from customers.account_admin import CHANGE_GROUPS, may_administer
from customers.accounts import invitations
from customers.accounts.mail import absolute_url
from customers.accounts.password_links import may_create_link, password_path
from customers.models import Customer, Facility, Invitation, Membership, StorageUnit


class MembershipInline(admin.TabularInline[Membership, Customer]):
    """The members of a customer, or the memberships of a person."""

    model = Membership
    extra = 0
    readonly_fields = ["user", "customer"]

    # People become members by accepting an invitation.
    @override
    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(Customer)
class CustomerAdmin(DeletesOnlyUnused[Customer], VersionedAdmin[Customer]):
    """Customers with counts of their facilities and units."""

    list_display = ["customer_code", "activity", "name", "data_sharing_method", "facility_count", "unit_count"]
    list_display_links = ["customer_code", "name"]
    list_filter = ["is_active", "data_sharing_method"]
    search_fields = ["customer_code", "name"]
    inlines = [MembershipInline]
    readonly_fields = ["public_id", "created_at", "updated_at"]
    fieldsets = [
        (None, {"fields": ["customer_code", "name", "is_active", "requires_reason", "requires_signatures"]}),
        (
            "Data sharing",
            {
                "fields": ["data_sharing_method", "data_frequency_seconds", "api_url", "max_clock_drift_seconds"],
                "description": "What was agreed with the customer. How data is fetched is configured on its sources.",
            },
        ),
        ("Record", {"fields": ["public_id", "created_at", "updated_at"], "classes": ["collapse"]}),
    ]

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        counts = {
            "facilities_counted": count_of(Facility, "customer"),
            "units_counted": count_of(StorageUnit, "facility__customer"),
        }
        return super().get_queryset(request).annotate(**counts)

    @admin.display(description="active", ordering="is_active")
    def activity(self, customer: Customer) -> SafeString:
        """Return whether the customer is active as a badge."""
        return badge("active", "good") if customer.is_active else badge("inactive", "neutral")

    @admin.display(description="facilities")
    def facility_count(self, customer: Any) -> SafeString:
        """Return the number of facilities as a link to their list."""
        return list_link(Facility, customer.facilities_counted, customer__id__exact=customer.pk)

    @admin.display(description="storage units")
    def unit_count(self, customer: Any) -> SafeString:
        """Return the number of storage units as a link to their list."""
        return list_link(StorageUnit, customer.units_counted, facility__customer__id__exact=customer.pk)


@admin.register(Facility)
class FacilityAdmin(DeletesOnlyUnused[Facility], VersionedAdmin[Facility]):
    """Facilities with the number of their units."""

    list_display = ["facility_code", "name", "customer", "city", "country", "time_zone", "unit_count"]
    list_display_links = ["facility_code", "name"]
    list_select_related = ["customer"]
    list_filter = [("customer", FewRelatedFilter), "country"]
    search_fields = ["facility_code", "name", "city", "customer__customer_code"]
    autocomplete_fields = ["customer"]
    readonly_fields = ["public_id", "created_at"]
    fieldsets = [
        (None, {"fields": ["customer", "facility_code", "name"]}),
        (
            "Location",
            {
                "fields": ["city", "country", "latitude", "longitude", "time_zone"],
                "description": "Determines when the facility's days begin. Changing it rebuilds its roll-ups.",
            },
        ),
        ("Record", {"fields": ["public_id", "created_at"], "classes": ["collapse"]}),
    ]

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Facility]:
        return super().get_queryset(request).annotate(units_counted=count_of(StorageUnit, "facility"))

    @admin.display(description="storage units")
    def unit_count(self, facility: Any) -> SafeString:
        """Return the number of storage units as a link to their list."""
        return list_link(StorageUnit, facility.units_counted, facility__id__exact=facility.pk)


@admin.register(Membership)
class MembershipAdmin(VersionedAdmin[Membership]):
    """People's roles in customers."""

    list_display = ["user", "customer", "role", "created_at"]
    list_select_related = ["user", "customer"]
    list_filter = ["role", ("customer", FewRelatedFilter)]
    search_fields = ["user__username", "user__email", "customer__customer_code", "customer__name"]
    readonly_fields = ["user", "customer"]

    # People become members by accepting an invitation.
    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Invitation)
class InvitationAdmin(admin.ModelAdmin[Invitation]):
    """Invitations. A link that is created here is shown once, to be handed over in person; nothing is sent."""

    list_display = ["email", "customer", "role", "state", "invited_by", "created_at", "sent_at", "expires_at"]
    list_select_related = ["customer", "invited_by"]
    list_filter = ["outcome", ("customer", FewRelatedFilter)]
    search_fields = ["email", "customer__customer_code", "customer__name"]
    autocomplete_fields = ["customer"]
    fields = ["customer", "email", "role"]
    actions = ["show_new_link", "withdraw"]

    @override
    def has_change_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    @override
    def save_model(
        self, request: HttpRequest, obj: Invitation, form: forms.ModelForm[Invitation], change: bool
    ) -> None:
        invitation, secret = invitations.invite(
            obj.customer, obj.email, obj.role, by=_operator(request), now=timezone.now()
        )
        # The admin continues with `obj`, which must be the row just created or renewed.
        obj.pk = invitation.pk
        obj.refresh_from_db()
        self._show_link(request, obj, secret)

    @admin.display(description="state")
    def state(self, invitation: Invitation) -> SafeString:
        """Return how it ended, or whether it can be accepted, as a badge."""
        if invitation.outcome:
            return badge(invitation.outcome, "neutral")
        return badge("open", "good") if invitation.is_open_at(timezone.now()) else badge("expired", "warning")

    @admin.action(description="Show a new one-time link", permissions=["add"])
    def show_new_link(self, request: HttpRequest, chosen: QuerySet[Invitation]) -> None:
        """Replace the links of the selected invitations and show the new ones once."""
        for invitation in chosen.select_related("customer"):
            try:
                secret = invitations.renew(invitation, by=_operator(request), now=timezone.now())
            except invitations.NotAcceptable as ended:
                self.message_user(request, f"{invitation}: {ended}", messages.ERROR)
            else:
                self._show_link(request, invitation, secret)

    @admin.action(description="Withdraw", permissions=["add"])
    def withdraw(self, request: HttpRequest, chosen: QuerySet[Invitation]) -> None:
        """Withdraw the selected invitations."""
        for invitation in chosen:
            invitations.withdraw(invitation, by=_operator(request), now=timezone.now())
        self.message_user(request, "Invitations withdrawn.")

    def _show_link(self, request: HttpRequest, invitation: Invitation, secret: str) -> None:
        show_link(request, invitation.email, absolute_url(request, reverse("invitation-link", args=[secret])))


class PersonForm(VersionedForm[User], UserChangeForm[User]):
    """Django's form of an account, which says so where a user name was given to another one."""

    def clean_username(self) -> str:
        """Return the user name. Raise ValidationError if another account has or had it."""
        return _own_name(self.cleaned_data["username"], self.instance.pk)


class NewPersonForm(AdminUserCreationForm[User]):
    """Django's form of a new account, likewise."""

    @override
    def clean_username(self) -> str:
        return _own_name(super().clean_username(), None)


def _own_name(user_name: str, user_id: int | None) -> str:
    if GivenUserName.was_given(user_name, to_other_than=user_id):
        raise forms.ValidationError(NAME_WAS_GIVEN)
    return user_name


admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(VersionedAdmin[User], UserAdmin[User]):
    """Django's user page with the person's memberships."""

    form = PersonForm
    add_form = NewPersonForm
    inlines = [MembershipInline]
    actions = ["show_password_link"]

    @admin.action(description="Show a one-time link to set the password", permissions=["change"])
    def show_password_link(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Show a link for each selected person, to be handed over in person."""
        for user in people:
            if may_create_link(request.user, user):
                show_link(request, user.get_username(), absolute_url(request, password_path(user)))
            else:
                self.message_user(request, f"{user}: only a superuser may do this.", messages.ERROR)

    @override
    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and may_administer(request, obj)

    @override
    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_administer(request, obj)

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        locked = [] if request.user.has_perm(CHANGE_GROUPS) else ["is_staff", "groups"]
        if not request.user.is_superuser:
            locked += ["is_superuser", "user_permissions"]
        return [*super().get_readonly_fields(request, obj), *locked]

    # Django's page for a new user has a name and a password only.
    @override
    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        return list(self.inlines) if obj else []


def show_link(request: HttpRequest, recipient: str, link: str) -> None:
    """Show a one-time link that the operator hands over in person."""
    text = "Give this link to {} in person; it works once and is not shown again: <code>{}</code>"
    messages.warning(request, format_html(text, recipient, link))


def _operator(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None
