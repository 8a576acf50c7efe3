"""The demo has well-known tokens, and nothing else ever has."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from customers.access.tokens import create_token, is_demo_token
from customers.models import ApiToken
from temperature_site.dev import demo
from tests.api_clients import client_with
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db

TOKENS = "/api/v1/customers/tokens"


@pytest.fixture
def fleet(settings: Settings) -> None:
    settings.DEMO = True
    demo.load()


def test_every_customer_has_two_tokens_and_the_operator_one(fleet: None) -> None:
    texts = [text for text, _, _ in demo.well_known_tokens()]
    assert len(texts) == 21
    assert {"read_A_65_token_2025", "write_J_74_token_2025", "admin_A_65_admin_token_2025"} <= set(texts)
    assert all(map(is_demo_token, texts))
    assert ApiToken.objects.count() == 21


def test_each_token_grants_what_its_name_says(fleet: None) -> None:
    wanted = {"token_name": "another", "permissions": ["write"]}
    assert client_with("read_B_66_token_2025").get(TOKENS).status_code == 200
    assert client_with("read_B_66_token_2025").post(TOKENS, wanted).status_code == 403
    assert client_with("write_B_66_token_2025").get(TOKENS).status_code == 200
    assert client_with("write_B_66_token_2025").post(TOKENS, wanted).status_code == 201
    assert client_with("admin_A_65_admin_token_2025").get("/api/v1/admin/facilities").status_code == 200


@pytest.mark.parametrize("earlier", [["write"], ["read", "write"], ["manage", "write"]])
def test_write_tokens_of_a_demo_loaded_earlier_learn_what_is_documented(fleet: None, earlier: list[str]) -> None:
    ApiToken.objects.filter(permissions__contains=["write"]).update(permissions=earlier)
    demo.load()
    assert ApiToken.objects.filter(permissions__contains=["read", "write", "manage"]).count() == 10
    assert client_with("write_B_66_token_2025").get(TOKENS).status_code == 200


def test_loading_the_demo_again_adds_none_and_revives_none(fleet: None) -> None:
    ApiToken.objects.update(revoked_at="2026-01-01T00:00:00Z")
    demo.load()
    assert ApiToken.objects.filter(revoked_at=None).count() == 0
    assert ApiToken.objects.count() == 21


@pytest.mark.parametrize("text", ["read_A_65_token_2025", "of my own choice"])
def test_outside_the_demo_the_text_of_a_token_cannot_be_set(settings: Settings, text: str) -> None:
    settings.DEMO = False
    with pytest.raises(ValidationError, match="only the demo"):
        create_token(CustomerFactory(), "chosen", ["read"], text=text)
    assert not ApiToken.objects.exists()


def test_outside_the_demo_none_is_created(settings: Settings) -> None:
    settings.DEMO = False
    with pytest.raises(demo.NotADemo, match="public passwords and tokens"):
        demo.load()
    assert not ApiToken.objects.exists()


def test_turning_the_demo_off_rejects_its_tokens(fleet: None, settings: Settings) -> None:
    settings.DEMO = False
    assert client_with("read_A_65_token_2025").get(TOKENS).status_code == 401
