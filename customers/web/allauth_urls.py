"""URLs of django-allauth's pages that this site has; sign-up, addresses and its own sign-in page are left out."""

from allauth.account.views import reauthenticate
from allauth.mfa.base import views as factors
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from allauth.socialaccount import views as provider_accounts
from allauth.socialaccount.providers.openid_connect import views as openid
from django.urls import path
from django.views.generic import TemplateView

from customers.web.account import SignIn, SignOut
from customers.web.second_factor import SecondFactorView, for_people, throttled

urlpatterns = [
    # Under the names by which allauth links to them.
    path("sign-in", SignIn.as_view(), name="account_login"),
    path("sign-out", SignOut.as_view(), name="account_logout"),
    path("confirm", throttled(reauthenticate), name="account_reauthenticate"),
    path("second-factor", for_people(factors.index), name="mfa_index"),
    path("second-factor/authenticate", throttled(SecondFactorView.as_view()), name="mfa_authenticate"),
    path("second-factor/confirm", throttled(factors.reauthenticate), name="mfa_reauthenticate"),
    path("second-factor/app", for_people(totp.activate_totp), name="mfa_activate_totp"),
    path("second-factor/app/remove", for_people(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("second-factor/codes", for_people(recovery_codes.view_recovery_codes), name="mfa_view_recovery_codes"),
    path(
        "second-factor/codes/new",
        for_people(recovery_codes.generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
    path(
        "second-factor/codes/download",
        for_people(recovery_codes.download_recovery_codes),
        name="mfa_download_recovery_codes",
    ),
    path("passkeys", for_people(passkeys.list_webauthn), name="mfa_list_webauthn"),
    path("passkeys/new", for_people(passkeys.add_webauthn), name="mfa_add_webauthn"),
    path("passkeys/confirm", throttled(passkeys.reauthenticate_webauthn), name="mfa_reauthenticate_webauthn"),
    path("passkeys/sign-in", for_people(passkeys.login_webauthn), name="mfa_login_webauthn"),
    path("passkeys/<int:pk>/remove", for_people(passkeys.remove_webauthn), name="mfa_remove_webauthn"),
    path("passkeys/<int:pk>", for_people(passkeys.edit_webauthn), name="mfa_edit_webauthn"),
    path("sso", for_people(provider_accounts.connections), name="socialaccount_connections"),
    path("sso/signup", TemplateView.as_view(template_name="account/signup_closed.html"), name="socialaccount_signup"),
    path("sso/cancelled", for_people(provider_accounts.login_cancelled), name="socialaccount_login_cancelled"),
    path("sso/error", for_people(provider_accounts.login_error), name="socialaccount_login_error"),
    path("sso/<provider_id>/login/", for_people(openid.login), name="openid_connect_login"),
    path("sso/<provider_id>/login/callback/", for_people(openid.callback), name="openid_connect_callback"),
]
