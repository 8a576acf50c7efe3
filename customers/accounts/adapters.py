"""How django-allauth works in this project: no sign-up, own mail, own throttle, encrypted secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from typing_extensions import override

from core.crypto.encryption import decrypt, encrypt
from customers.access.auth_backend import customers_requiring_second_factor, staff_lacks_second_factor
from customers.access.login_throttle import SignInAttempt, reported_address
from customers.accounts import devices, notices
from customers.models import Invitation

if TYPE_CHECKING:
    from allauth.socialaccount.models import SocialLogin
    from django.contrib.auth.base_user import AbstractBaseUser

SECOND_FACTOR_CHANGES = {
    "totp_activated": "authenticator app added",
    "totp_deactivated": "authenticator app removed",
    "webauthn_added": "passkey added",
    "webauthn_removed": "passkey removed",
    "recovery_codes_generated": "recovery codes created",
    "account_connected": "single sign-on connected",
    "account_disconnected": "single sign-on disconnected",
}


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are created by invitations only."""

    @override
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    @override
    def get_client_ip(self, request: HttpRequest) -> str:
        return reported_address(request)

    @override
    def is_reauthentication_required(self, *, app: str, **kwargs: object) -> bool:
        """Return whether a change needs a confirmation; not of people who sign in through the provider alone."""
        user = self.request.user
        return bool(self.get_reauthentication_methods(user)) and super().is_reauthentication_required(app=app)

    @override
    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        messages.error(request, "This account is deactivated. Ask the operator.")
        return redirect("login")

    @override
    def post_login(
        self,
        request: HttpRequest,
        user: AbstractBaseUser,
        *,
        email_verification: str,
        signal_kwargs: dict[str, object] | None,
        email: str | None,
        signup: bool,
        redirect_url: str | None,
    ) -> HttpResponse:
        """Complete a sign-in of any kind: reset the throttle, note the device, ask for a second factor if required."""
        SignInAttempt.of(request, user.get_username()).succeeded(timezone.now())
        response = super().post_login(
            request,
            user,
            email_verification=email_verification,
            signal_kwargs=signal_kwargs,
            email=email,
            signup=signup,
            redirect_url=redirect_url,
        )
        if isinstance(user, User):
            if customers_requiring_second_factor(user) or staff_lacks_second_factor(user):
                response = redirect("mfa_index")
            devices.note_device(request, response, user)
        return response

    @override
    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, object] | None = None,
        email: str | None = None,
    ) -> None:
        what = SECOND_FACTOR_CHANGES.get(template_prefix.rpartition("/")[2])
        if what and isinstance(user, User):
            notices.notify(user, "second_factor", what=what, **devices.description(self.request))


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of second factors are encrypted like sources' credentials."""

    @override
    def encrypt(self, text: str) -> str:
        return encrypt(text)

    @override
    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(encrypted_text)

    @override
    def _get_site_name(self) -> str:
        return self.get_totp_issuer()


class OpenIdAdapter(DefaultSocialAccountAdapter):
    """People sign in through the provider with the accounts they have; invited people also get one."""

    @override
    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """Return the account of an address that the provider has verified, if there is exactly one.

        Never the staff's: otherwise the provider could sign in as the operator. They connect their accounts themselves,
        signed in.
        """
        for address in _proven_addresses(sociallogin):
            found = list(User.objects.filter(email__iexact=address)[:2])
            if len(found) == 1 and found[0].is_active and not found[0].is_staff:
                return found[0], address
        return None

    @override
    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Return whether an open invitation was sent to an address that the provider has verified."""
        now = timezone.now()
        return any(
            Invitation.objects.filter(email__iexact=address, outcome="", expires_at__gt=now).exists()
            and not User.objects.filter(email__iexact=address).exists()
            for address in _proven_addresses(sociallogin)
        )

    @override
    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, str]) -> User:
        """Name the account after its address, like those that are created by invitations."""
        named = {**data, "username": (data.get("email") or "").lower()}
        user: User = super().populate_user(request, sociallogin, named)
        return user


def _proven_addresses(sociallogin: SocialLogin) -> list[str]:
    return [each.email for each in sociallogin.email_addresses if each.verified and is_vouched_for(each.email)]


def is_vouched_for(email: str) -> bool:
    """Return whether the provider may vouch for addresses of this domain."""
    domain = email.rpartition("@")[2].casefold()
    return domain in {each.casefold() for each in settings.OIDC_DOMAINS}
