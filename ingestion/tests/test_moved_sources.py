"""Stored secrets are not sent to servers that they were not entered for, whoever moves a source and however."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from core.http.servers import server_of
from ingestion.models import Source
from tests.api_clients import client_of
from tests.factories import CustomerFactory, MembershipFactory, SourceFactory, SourceSetupFactory, StaffFactory

pytestmark = pytest.mark.django_db

OWN, OTHER = "https://a.example.com", "https://b.example.com"
BEARER = {"credentials_kind": "bearer", "credentials_secret": "cold-secret"}
OAUTH2 = {"credentials_kind": "oauth2", "credentials_name": "c", "credentials_secret": "s", "token_url": f"{OWN}/token"}
BASIC = {"credentials_kind": "basic", "credentials_name": "u", "credentials_secret": "s"}
MQTT = {"ingestion_type": "mqtt", "url": "", "broker_url": "mqtts://a.example.com", "topic_filters": ["a"]} | BASIC
S3 = {"ingestion_type": "s3", "url": "s3://bucket/*.csv", "endpoint_url": OWN} | BASIC
SFTP = {"ingestion_type": "sftp", "url": "sftp://a.example.com/*.csv", "host_key": "ssh-ed25519 AAAA"} | BASIC
BODY = {"request_method": "POST", "request_body": '{"api_key": "cold-secret"}'}
REFUSED = "only sent to the server that it was entered for"


def source_at(url: str = f"{OWN}/readings", **fields: Any) -> Source:
    return SourceFactory(**{"url": url} | fields)


def refused_fields(source: Source, **changes: Any) -> set[str]:
    """Return the fields at which a change of the source is refused."""
    changed = Source.objects.get(pk=source.pk)
    for name, value in changes.items():
        setattr(changed, name, value)
    try:
        changed.full_clean()
    except ValidationError as error:
        refused = error.message_dict
    else:
        refused = {}
    assert all(REFUSED in message for messages in refused.values() for message in messages)
    return set(refused)


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        (BEARER, {"url": OTHER}),
        (BEARER, {"url": "http://a.example.com/readings"}),
        (BEARER, {"url": "https://a.example.com:8443/readings"}),
        (BEARER, {"structure_url": OTHER}),
        (BEARER, {"token_url": OTHER}),
        (BEARER | {"url": ""}, {"url": OTHER}),
        (BEARER | {"url": "https://{unit}/", "unit_codes": ["a.example.com"]}, {"unit_codes": ["b.example.com"]}),
        (BEARER, S3 | {"endpoint_url": "", "credentials_secret": None}),
        (OAUTH2, {"token_url": f"{OTHER}/token"}),
        (OAUTH2, {"url": OTHER}),
        (MQTT, {"broker_url": "mqtts://b.example.com"}),
        (MQTT, {"broker_url": "mqtt://a.example.com"}),
        (S3, {"endpoint_url": OTHER}),
        (SFTP, {"url": "sftp://b.example.com/*.csv"}),
    ],
)
def test_a_stored_secret_is_not_sent_to_another_server(fields: dict[str, Any], change: dict[str, Any]) -> None:
    source = source_at(**fields)
    kept = {name: value for name, value in change.items() if name != "credentials_secret"}

    assert refused_fields(source, **kept) == {"credentials_secret"}
    assert refused_fields(source, **kept, credentials_secret="entered again") == set()


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        (BEARER, {"url": f"{OWN}/other?hours={{hours}}"}),
        (BEARER, {"url": "https://A.example.com:443/readings"}),
        (BEARER, {"url": ""}),
        (BEARER, {"structure_url": f"{OWN}/structure"}),
        (BEARER, {"interval_seconds": 60}),
        (MQTT, {"broker_url": "mqtts://a.example.com:8883/"}),
        (S3, {"url": "s3://bucket/other/*.csv"}),
        ({}, {"url": OTHER}),
    ],
)
def test_a_change_at_the_same_server_keeps_the_secret(fields: dict[str, Any], change: dict[str, Any]) -> None:
    assert refused_fields(source_at(**fields), **change) == set()


def test_each_secret_is_entered_again_or_removed() -> None:
    source = source_at(request_headers="X-Key: cold-secret", **BEARER | BODY)

    assert refused_fields(source, url=OTHER) == {"credentials_secret", "request_headers", "request_body"}
    assert refused_fields(source, url=OTHER, credentials_secret="", credentials_kind="none") == {
        "request_headers", "request_body",
    }  # fmt: skip
    again = {"credentials_secret": "cold-secret", "request_headers": "", "request_body": BODY["request_body"]}
    assert refused_fields(source, url=OTHER, **again) == set()


def test_the_api_moves_a_source_only_with_its_secret() -> None:
    source = source_at(**BEARER)
    client, path = client_of(source.customer, permissions=["manage"]), f"/api/v1/sources/{source.public_id}"

    refused = client.patch(path, {"url": OTHER})
    moved = client.patch(path, {"url": OTHER, "credentials": {"kind": "bearer", "secret": "another"}})

    assert (refused.status_code, moved.status_code) == (400, 200)
    assert REFUSED in refused.content.decode()
    source.refresh_from_db()
    assert (source.url, source.credentials.secret) == (OTHER, "another")


def test_the_kind_none_removes_the_secret_of_a_moved_source() -> None:
    source = source_at(**BEARER)

    moved = client_of(source.customer).patch(
        f"/api/v1/sources/{source.public_id}", {"url": OTHER, "credentials": {"kind": "none"}}
    )

    assert moved.status_code == 200, moved.content
    source.refresh_from_db()
    assert not source.credentials_secret


def test_the_admin_moves_a_source_only_with_its_secret(client: Client) -> None:
    source = source_at(**BEARER)
    client.force_login(StaffFactory())
    url = reverse("admin:ingestion_source_change", args=[source.pk])
    form = client.get(url).context["adminform"].form
    fields = {name: form[name].value() for name in form.fields} | {"url": OTHER}
    fields = {name: value for name, value in fields.items() if value is not None and value is not False}

    refused = client.post(url, fields | {"credentials_secret": ""})
    assert REFUSED in refused.content.decode()
    assert Source.objects.get().url == f"{OWN}/readings"

    moved = client.post(url, fields | {"credentials_secret": "", "credentials_kind": "none"})
    assert moved.status_code == 302, moved.context["adminform"].form.errors
    stored = Source.objects.get()
    assert (stored.url, bool(stored.credentials_secret)) == (OTHER, False)


def test_the_setup_moves_a_source_only_with_its_secret(client: Client) -> None:
    source = source_at(is_paused=True, **BEARER)
    setup = SourceSetupFactory(step="data", source=source, customer=source.customer)
    client.force_login(MembershipFactory(customer=source.customer, role="manager").user)
    fields = {"name": "s", "url": OTHER, "request_method": "GET", "request_content_type": "application/json"}
    step = reverse("setup-step", args=[setup.public_id, "connection"])

    refused = client.post(step, fields | {"credentials_kind": "bearer", "credentials_secret": ""})
    assert REFUSED in refused.content.decode()
    assert Source.objects.get().url == f"{OWN}/readings"

    assert client.post(step, fields | {"credentials_kind": "none"}).status_code == 302
    stored = Source.objects.get()
    assert (stored.url, bool(stored.credentials_secret)) == (OTHER, False)


class TestProfiles:
    """A profile names only an address, so the secrets of its source are entered at the source."""

    @pytest.mark.parametrize(
        "fields", [BEARER, {"request_headers": "X-Key: s"}, {"url": f"{OWN}/readings?api_key=cold-secret"}]
    )
    def test_a_profile_does_not_move_a_source_with_a_secret(self, fields: dict[str, Any]) -> None:
        customer = CustomerFactory(api_url=OWN, data_sharing_method="api")
        source = source_at(customer=customer, **fields)
        before = source.request_url

        for client, path in (
            (client_of(customer, permissions=["manage"]), "/api/v1/customers/profile"),
            (self.operator(), f"/api/v1/admin/customers/{customer.public_id}"),
        ):
            refused = client.put(path, {"api_url": OTHER})
            assert refused.status_code == 400, refused.content
            assert list(refused.json()) == ["api_url"]
            assert "Change the URL of the source itself" in refused.json()["api_url"][0]

        customer.refresh_from_db()
        source.refresh_from_db()
        assert (customer.api_url, source.request_url) == (OWN, before)

    def test_a_profile_follows_a_source_that_was_moved_with_its_secret(self) -> None:
        customer = CustomerFactory(api_url=OWN, data_sharing_method="api")
        source = source_at(f"{OTHER}/own?hours={{hours}}", customer=customer, **BEARER)

        changed = client_of(customer).put("/api/v1/customers/profile", {"api_url": OTHER})

        assert changed.status_code == 200, changed.content
        source.refresh_from_db()
        assert (source.url, source.credentials.secret) == (f"{OTHER}/own?hours={{hours}}", "cold-secret")

    def test_another_path_of_the_same_server_keeps_the_secrets(self) -> None:
        customer = CustomerFactory(api_url=OWN, data_sharing_method="api")
        source = source_at(f"{OWN}/own?api_key=cold-secret", customer=customer, **BEARER)

        changed = client_of(customer).put("/api/v1/customers/profile", {"api_url": f"{OWN}/v2"})

        assert changed.status_code == 200, changed.content
        source.refresh_from_db()
        assert source.request_url == f"{OWN}/v2/own?api_key=cold-secret"

    @staticmethod
    def operator() -> APIClient:
        return client_of(CustomerFactory(), permissions=["admin"])


@pytest.mark.parametrize("field", ["url", "structure_url", "token_url"])
def test_the_admin_refuses_a_url_that_cannot_be_understood(client: Client, field: str) -> None:
    client.force_login(StaffFactory())
    fields = {"customer": CustomerFactory().pk, "name": "s", "url": OWN} | {field: "https://[::1"}

    page = client.post(reverse("admin:ingestion_source_add"), fields)

    assert page.context["adminform"].form.errors[field] == [f"{field} is not a valid URL."]


def test_a_url_that_was_stored_before_does_not_keep_other_pages_from_saving(client: Client) -> None:
    source = source_at("https://[::1", is_paused=True)
    setup = SourceSetupFactory(step="units", source=source, customer=source.customer)
    client.force_login(MembershipFactory(customer=source.customer, role="manager").user)

    saved = client.post(
        reverse("setup-step", args=[setup.public_id, "schedule"]),
        {"interval_seconds": 60, "facility_time_zone": "Europe/London"},
    )

    assert saved.status_code == 302
    assert Source.objects.get().interval_seconds == 60


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("HTTPS://A.example.com:443/x", "https://a.example.com"),
        ("https://user:word@a.example.com:8443", "https://a.example.com:8443"),
        ("https://[::1]:80/", "https://[::1]:80"),
        ("sftp://a.example.com:22/x", "sftp://a.example.com"),
        ("file:///srv/exports/*.csv", ""),
        ("", ""),
    ],
)
def test_a_server_is_a_scheme_a_host_and_a_port(url: str, server: str) -> None:
    assert server_of(url) == server
