"""The admin of what belongs to people's accounts: second factors, connected accounts and sessions.

All of it is created by its owner. Deleting is how the operator helps somebody who lost their phone, or ends a session.
Only those who may change an account may do that to its owner.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.http import HttpRequest
from typing_extensions import override

from core.web.admin import ReadOnlyAdmin

# Addresses are those of the accounts, the provider is configured by settings, and its tokens are not kept.
for model in (EmailAddress, SocialApp, SocialToken, Authenticator, SocialAccount, UserSession):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

# Whoever may decide what groups of staff may do also decides who is staff.
CHANGE_GROUPS = "auth.change_group"


def may_administer(request: HttpRequest, user: User | None) -> bool:
    """Return whether the person may change the user's account, which must not have more rights than they have."""
    if user is None or (isinstance(request.user, User) and request.user.is_superuser):
        return True
    return not user.is_superuser and (not user.is_staff or request.user.has_perm(CHANGE_GROUPS))


class OwnedAdmin(ReadOnlyAdmin[models.Model]):
    """What people have created. Those who may change their accounts can delete it, but neither create nor change it."""

    list_select_related = ["user"]
    search_fields = ["user__username", "user__email"]

    @override
    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        is_permitted = request.user.has_perm(f"{self.opts.app_label}.delete_{self.opts.model_name}")
        return is_permitted and may_administer(request, getattr(obj, "user", None))


@admin.register(Authenticator)
class AuthenticatorAdmin(OwnedAdmin):
    """Second factors, without their secrets."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_filter = ["type"]
    fields = ["user", "type", "created_at", "last_used_at"]


@admin.register(SocialAccount)
class SocialAccountAdmin(OwnedAdmin):
    """Accounts at the OpenID Connect provider."""

    list_display = ["user", "provider", "uid", "date_joined", "last_login"]
    fields = ["user", "provider", "uid", "date_joined", "last_login"]


@admin.register(UserSession)
class UserSessionAdmin(OwnedAdmin):
    """Sessions of people. Deleting one ends it."""

    list_display = ["user", "ip", "user_agent", "created_at"]
    fields = ["user", "ip", "user_agent", "created_at"]

    @override
    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        if isinstance(obj, UserSession):
            obj.end()

    @override
    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[models.Model]) -> None:
        for session in queryset:
            self.delete_model(request, session)
