"""What the site shows to whom: probes by address, the Permissions-Policy, and `/metrics`."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def production(settings: Settings) -> None:
    """Turn the demo off."""
    settings.DEMO = False
    settings.ALLOWED_HOSTS = ["cold.example.com"]


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize("host", ["10.1.2.3", "10.1.2.3:8000", "[fd12::1]:8000"])
@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_a_probe_by_address_is_answered(client: Client, path: str, host: str) -> None:
    assert client.get(path, HTTP_HOST=host).status_code in (200, 503)


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize(
    ("path", "host"), [("/account/sign-in", "10.1.2.3"), ("/ping", "evil.example.com"), ("/health", "999.1.2.3")]
)
def test_any_other_request_to_another_host_is_refused(client: Client, path: str, host: str) -> None:
    assert client.get(path, HTTP_HOST=host).status_code == 400


def test_every_response_forbids_what_pages_do_not_use(client: Client) -> None:
    policy = client.get("/ping").headers["Permissions-Policy"]
    assert "camera=()" in policy
    assert "geolocation=()" in policy


def test_metrics_are_open_in_the_demo(client: Client, settings: Settings) -> None:
    settings.DEMO = True
    assert client.get("/metrics").status_code == 200


@pytest.mark.usefixtures("production")
class TestMetrics:
    HOST = "cold.example.com"

    def status(self, client: Client, **headers: str) -> int:
        return client.get("/metrics", HTTP_HOST=self.HOST, **headers).status_code  # type: ignore[arg-type]  # of META

    def test_nobody_else_reads_them(self, client: Client, settings: Settings) -> None:
        settings.METRICS_TOKEN = ""
        client.force_login(UserFactory())
        assert self.status(client) == 403
        assert self.status(client, HTTP_AUTHORIZATION="Bearer ") == 403

    def test_staff_reads_them(self, client: Client) -> None:
        operator: User = StaffFactory(is_superuser=True)
        client.force_login(operator)
        assert self.status(client) == 200

    def test_the_token_reads_them(self, client: Client, settings: Settings) -> None:
        settings.METRICS_TOKEN = "scrape"
        assert self.status(client, HTTP_AUTHORIZATION="Bearer scrape") == 200
        assert self.status(client, HTTP_AUTHORIZATION="Bearer scrap") == 403

    def test_a_network_reads_them(self, client: Client, settings: Settings) -> None:
        settings.METRICS_NETWORKS = ["10.1.0.0/16"]
        assert self.status(client, REMOTE_ADDR="10.1.2.3") == 200
        assert self.status(client, REMOTE_ADDR="10.2.2.3") == 403
