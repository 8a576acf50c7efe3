"""Settings of accounts: passwords, second factors, passkeys, and signing in through an OpenID Connect provider."""

from __future__ import annotations

# The name of the provider in addresses: the callback is /account/sso/openid/login/callback/.
OPENID_PROVIDER = "openid"
SITE_NAME = "Temperature Monitoring"
PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "customers.accounts.passwords.PasswordRules"},
]


def allauth_settings(
    *, issuer: str, client_id: str, client_secret: str, name: str, is_insecure_origin_allowed: bool
) -> dict[str, object]:
    """Return the settings; without an issuer nobody signs in through a provider."""
    return {
        "ACCOUNT_ADAPTER": "customers.accounts.adapters.AccountAdapter",
        "ACCOUNT_LOGIN_METHODS": {"username"},
        "ACCOUNT_SIGNUP_FIELDS": ["username*", "email*", "password1*"],
        # Encrypts what django-allauth keeps in a session while an authenticator app is added.
        "SESSION_ENGINE": "customers.accounts.session_store",
        # Addresses are proven by invitations.
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_EMAIL_NOTIFICATIONS": True,
        "ACCOUNT_REAUTHENTICATION_TIMEOUT": 300,
        "ACCOUNT_REAUTHENTICATION_REQUIRED": True,
        "ACCOUNT_REAUTHENTICATION_METHODS": ("password", "mfa"),
        # The project's own throttle counts in the database, for all processes together.
        "ACCOUNT_RATE_LIMITS": False,
        "MFA_RATE_LIMITS": False,
        "MFA_ADAPTER": "customers.accounts.adapters.SecondFactorAdapter",
        "MFA_SUPPORTED_TYPES": ["totp", "webauthn", "recovery_codes"],
        "MFA_PASSKEY_LOGIN_ENABLED": True,
        "MFA_ALLOW_UNVERIFIED_EMAIL": True,
        "MFA_TOTP_ISSUER": SITE_NAME,
        # A code is valid for half a minute before and after, too: phones' clocks differ.
        "MFA_TOTP_TOLERANCE": 1,
        "MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN": is_insecure_origin_allowed,
        "SOCIALACCOUNT_ADAPTER": "customers.accounts.adapters.OpenIdAdapter",
        "SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT": True,
        # A form would need the provider's hosts in the page's Content-Security-Policy.
        "SOCIALACCOUNT_LOGIN_ON_GET": True,
        "SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX": "",
        "SOCIALACCOUNT_PROVIDERS": {
            "openid_connect": {
                "OAUTH_PKCE_ENABLED": True,
                "APPS": [_app(issuer, client_id, client_secret, name)] if issuer else [],
            }
        },
    }


def _app(issuer: str, client_id: str, client_secret: str, name: str) -> dict[str, object]:
    return {
        "provider_id": OPENID_PROVIDER,
        "name": name,
        "client_id": client_id,
        "secret": client_secret,
        "settings": {"server_url": issuer.rstrip("/")},
    }
