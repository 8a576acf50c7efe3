"""Signing in through an OpenID Connect provider, which the tests start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from customers.accounts import invitations
from temperature_site.conf.accounts import allauth_settings
from tests.factories import PASSWORD, CustomerFactory, MembershipFactory, StaffFactory, UserFactory
from tests.responses import Json, PageResponse

pytestmark = pytest.mark.django_db

CLIENT_ID = "cold-stores"


class Provider:
    """A small OpenID Connect provider for one person, whose `claims` tests change."""

    def __init__(self) -> None:
        self.claims: Json = {"sub": "4711", "email": "anna@example.com", "email_verified": True}
        self.challenges: list[str] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_document = self.path == "/.well-known/openid-configuration"
                self.reply(provider.document if is_document else provider.claims)

            def do_POST(self) -> None:
                sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                provider.challenges.append(sent["code_verifier"][0])
                self.reply(provider.tokens)

            def reply(self, content: object) -> None:
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def document(self) -> dict[str, str]:
        paths = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
        endpoints = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in paths.items()}
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **endpoints}

    @property
    def tokens(self) -> dict[str, str]:
        now = int(timezone.now().timestamp())
        claims = {**self.claims, "iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60}
        return {"access_token": "x", "token_type": "Bearer", "id_token": jwt.encode(claims, "k" * 32, "HS256")}


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    provider = Provider()
    configured = allauth_settings(
        issuer=provider.url,
        client_id=CLIENT_ID,
        client_secret="secret",
        name="Cold ID",
        is_insecure_origin_allowed=False,
    )
    settings.SOCIALACCOUNT_PROVIDERS = configured["SOCIALACCOUNT_PROVIDERS"]
    settings.OIDC_ISSUER = provider.url
    settings.OIDC_NAME = "Cold ID"
    settings.OIDC_DOMAINS = ["example.com"]
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


def sign_in(client: Client, query: str = "") -> PageResponse:
    """Go to the provider, which confirms, and return to the site."""
    leaves = client.get(reverse("openid_connect_login", args=["openid"]) + query)
    sent = parse_qs(urlsplit(leaves["Location"]).query)
    callback = urlsplit(sent["redirect_uri"][0]).path
    return client.get(callback, {"code": "code", "state": sent["state"][0]})


def test_the_sign_in_page_names_the_provider(client: Client, provider: Provider) -> None:
    page = client.get(reverse("login") + "?next=/alarms").content.decode()
    assert "Sign in with Cold ID" in page
    assert "/account/sso/openid/login/?next=%2Falarms" in page


def test_a_person_signs_in_with_the_account_of_the_verified_address(client: Client, provider: Provider) -> None:
    anna = UserFactory(email="Anna@example.com")

    response = sign_in(client, "?next=/alarms")

    assert response["Location"] == "/alarms"
    assert get_user(client) == anna
    assert len(provider.challenges[0]) >= 43
    # Whoever else may know the password of an account whose address was never verified is locked out.
    anna.refresh_from_db()
    assert not anna.has_usable_password()


def test_the_account_is_recognised_when_the_address_changes(client: Client, provider: Provider) -> None:
    anna = UserFactory(email="anna@example.com")
    sign_in(client)
    client.post(reverse("logout"))
    provider.claims["email"] = "anna.frost@example.com"
    sign_in(client)
    assert get_user(client) == anna


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email": "anna@elsewhere.example"},
        {"email": "boss@example.com"},
        {"email": "gone@example.com"},
        {"email": "stranger@example.com"},
    ],
    ids=["unverified", "another domain", "staff", "deactivated", "nobody"],
)
def test_others_do_not_sign_in(client: Client, provider: Provider, claims: dict[str, object]) -> None:
    UserFactory(email="anna@example.com")
    UserFactory(email="anna@elsewhere.example")
    UserFactory(email="gone@example.com", is_active=False)
    StaffFactory(email="boss@example.com")
    provider.claims |= claims

    sign_in(client)

    assert not get_user(client).is_authenticated
    assert not SocialAccount.objects.exists()
    assert User.objects.count() == 4


def test_the_settings_lead_to_connecting_an_account_where_there_is_a_provider(
    client: Client, provider: Provider, settings: Settings
) -> None:
    client.force_login(StaffFactory())
    connections = reverse("socialaccount_connections")
    link = reverse("openid_connect_login", args=["openid"]) + "?process=connect"
    assert f'href="{connections}"' in client.get(reverse("settings")).content.decode()
    assert f'href="{link}">Connect Cold ID</a>' in client.get(connections).content.decode()

    settings.OIDC_ISSUER = ""

    assert f'href="{connections}"' not in client.get(reverse("settings")).content.decode()
    assert link not in client.get(connections).content.decode()


def test_staff_connect_their_account_themselves(client: Client, provider: Provider) -> None:
    boss = StaffFactory(email="boss@example.com")
    provider.claims["email"] = boss.email
    client.force_login(boss)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    sign_in(client, "?process=connect")
    client.post(reverse("logout"))
    sign_in(client)
    assert get_user(client) == boss


def test_connecting_an_account_needs_the_password(client: Client, provider: Provider) -> None:
    client.force_login(UserFactory(email="anna@example.com"))
    sign_in(client, "?process=connect")
    assert not SocialAccount.objects.exists()


def test_an_invited_person_gets_an_account_and_still_has_to_accept(client: Client, provider: Provider) -> None:
    customer = CustomerFactory()
    _, secret = invitations.invite(customer, "anna@example.com", "viewer", by=None, now=timezone.now())

    sign_in(client)

    user = User.objects.get()
    assert (get_user(client), user.username, user.memberships.count()) == (user, "anna@example.com", 0)
    client.get(reverse("invitation-link", args=[secret]))
    client.post(reverse("invitation"), {"action": "accept"})
    assert user.memberships.get().customer == customer


def test_a_required_second_factor_is_required_through_the_provider_too(client: Client, provider: Provider) -> None:
    MembershipFactory(user=UserFactory(email="anna@example.com"), customer__requires_second_factor=True)
    assert sign_in(client)["Location"] == reverse("mfa_index")


def test_a_forged_response_signs_nobody_in(client: Client, provider: Provider) -> None:
    UserFactory(email="anna@example.com")
    client.get(reverse("openid_connect_callback", args=["openid"]), {"code": "code", "state": "forged"})
    assert not get_user(client).is_authenticated


def test_without_a_provider_there_is_no_such_page(client: Client) -> None:
    assert client.get(reverse("openid_connect_login", args=["openid"])).status_code == 404
    assert "sso" not in client.get(reverse("login")).content.decode()
