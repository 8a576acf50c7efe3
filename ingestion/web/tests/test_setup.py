"""The guided setup: who may use it, and what its steps keep."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from alarms.models import LimitProfile, UnitLimits
from core.crypto.encrypted_field import Secret
from customers.models import Customer, StorageUnit
from ingestion import guided_setup
from ingestion.models import Source, SourceSetup
from ingestion.polling.tests.polling import json_answer
from ingestion.polling.tests.scripted_server import ScriptedServer, answer
from ingestion.polling.trial import TrialResult, try_source
from tests.factories import (
    CustomerFactory,
    MembershipFactory,
    SourceFactory,
    SourceSetupFactory,
    StorageUnitFactory,
    UserFactory,
)
from tests.races import race
from tests.responses import PageResponse

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback_allowed")]
CONNECTION = {
    "name": "Rooms",
    "credentials_kind": "none",
    "request_method": "GET",
    "request_content_type": "application/json",
}
MAPPING = {"time_zone": "UTC", "factor": "1", "offset": "0"}


def signed_in(customer: Customer, role: str = "manager") -> Client:
    client = Client()
    client.force_login(MembershipFactory(customer=customer, role=role).user)
    return client


def step_of(setup: SourceSetup, step: str) -> str:
    return reverse("setup-step", args=[setup.public_id, step])


def test_a_manager_sets_up_a_source_of_the_own_customer_only() -> None:
    customer, other = CustomerFactory(), CustomerFactory()
    client = signed_in(customer)

    client.post(reverse("setup"), {"customer": other.customer_code})
    assert not SourceSetup.objects.exists()
    client.post(reverse("setup"), {"customer": customer.customer_code})
    assert SourceSetup.objects.get().customer == customer


def test_only_staff_with_the_permission_add_customers() -> None:
    client = signed_in(CustomerFactory())

    answered = client.post(reverse("setup"), {"new": "1", "name": "Cold Ltd", "customer_code": "COLD"})

    assert answered.status_code == 403
    assert not Customer.objects.filter(customer_code="COLD").exists()


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_others_may_not_set_up_sources(role: str) -> None:
    setup = SourceSetupFactory()
    client = signed_in(setup.customer, role)

    assert client.get(reverse("setup")).status_code == 403
    assert client.post(step_of(setup, "units")).status_code == 403
    assert Source.objects.get().is_paused


def test_setups_of_other_customers_are_not_found() -> None:
    setup = SourceSetupFactory()

    assert signed_in(CustomerFactory()).post(step_of(setup, "units")).status_code == 404


def test_a_step_that_was_not_reached_leads_to_the_one_that_was() -> None:
    setup = SourceSetupFactory(step="data")

    answered = signed_in(setup.customer).get(step_of(setup, "units"))

    assert answered["Location"] == step_of(setup, "data")


def test_the_response_is_kept_and_the_secret_is_not_shown(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(answer(b"time,unit_id,temp\n2026-11-20 10:00,f1,4.5\n", headers="Content-Type: text/csv\r\n"))
    customer = CustomerFactory()
    client = signed_in(customer)
    client.post(reverse("setup"), {"customer": customer.customer_code})
    setup = SourceSetup.objects.get()
    secret = {"credentials_kind": "bearer", "credentials_secret": "cold-secret"}

    client.post(step_of(setup, "connection"), CONNECTION | secret | {"url": f"{server.url}/a"})
    client.post(
        step_of(setup, "connection"), CONNECTION | secret | {"url": f"{server.url}/b", "credentials_secret": ""}
    )
    shown = (
        client.get(step_of(setup, "data")).content.decode() + client.get(step_of(setup, "connection")).content.decode()
    )

    assert [b"Bearer cold-secret" in head for head in server.heads] == [True, True]
    assert "<strong>1</strong> would be stored" in shown
    assert "cold-secret" not in shown
    source = Source.objects.get()
    assert (source.ingestion_type, source.is_paused) == ("csv", True)
    assert not StorageUnit.objects.exists()


def opened_form(client: Client, url: str) -> dict[str, object]:
    """Return what a browser would send for the form of a step."""
    page = client.get(url)
    fields = {field.html_name: field.value() for field in page.context["form"] if field.value() not in (None, False)}
    assert f'name="version" value="{escape(fields["version"])}"' in page.content.decode()
    return fields


@pytest.mark.parametrize(
    ("step", "stored", "entered"),
    [
        ("connection", {"name": "Cold rooms"}, {"name": "Warm rooms"}),
        ("data", {"time_format": "%d.%m.%Y %H:%M"}, {"time_format": "%Y-%m-%d"}),
        ("schedule", {"interval_seconds": 3_600}, {"interval_seconds": 60}),
    ],
)
def test_a_step_shows_what_somebody_else_saved_meanwhile(
    step: str, stored: dict[str, object], entered: dict[str, object]
) -> None:
    setup = SourceSetupFactory(step="units")
    client = signed_in(setup.customer)
    opened = opened_form(client, step_of(setup, step))
    [(name, value)] = stored.items()
    Source.objects.update(**stored)

    refused = client.post(step_of(setup, step), opened | entered)

    assert "Changed meanwhile by somebody else, now stored" in refused.content.decode()
    assert getattr(Source.objects.get(), name) == value


def test_a_connection_that_is_submitted_twice_makes_one_source_and_one_request(
    serve: Callable[..., ScriptedServer],
) -> None:
    server = serve(answer(b"time,unit_id,temp\n2026-11-20 10:00,f1,4.5\n", headers="Content-Type: text/csv\r\n"))
    customer = CustomerFactory()
    client = signed_in(customer)
    client.post(reverse("setup"), {"customer": customer.customer_code})
    url = step_of(SourceSetup.objects.get(), "connection")
    key = client.get(url).content.decode().split('name="submission" value="')[1].split('"')[0]
    entered = CONNECTION | {"url": f"{server.url}/a", "submission": key}

    first, second = (client.post(url, entered, headers={"Referer": f"http://testserver{url}"}) for _ in range(2))

    assert (first.status_code, second.status_code) == (302, 302)
    assert (Source.objects.count(), len(server.heads)) == (1, 1)


def connection_of(**fields: str) -> dict[str, str]:
    return CONNECTION | {"url": "https://feeds.example/a"} | fields


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"credentials_kind": "none"}, []),
        ({"credentials_kind": "basic", "credentials_name": "u"}, [b"Authorization: Basic dTpjb2xkLXNlY3JldA=="]),
        ({"credentials_kind": "bearer"}, [b"Authorization: Bearer cold-secret"]),
        ({"credentials_kind": "header", "credentials_name": "X-Key"}, [b"X-Key: cold-secret"]),
        ({"credentials_kind": "query", "credentials_name": "key"}, [b"GET /a?key=cold-secret "]),
        (
            {"credentials_kind": "query", "credentials_name": "key", "request_headers": "X-Client: second-key"},
            [b"GET /a?key=cold-secret ", b"X-Client: second-key"],
        ),
        (
            {"credentials_kind": "body", "request_method": "POST", "request_body": '{"key": "{secret}"}'},
            [b"POST /a ", b'{"key": "cold-secret"}'],
        ),
        (
            {
                "credentials_kind": "oauth2",
                "credentials_name": "c",
                "token_scope": "read",
                "sends_client_in_body": "on",
            },
            [b"client_id=c&client_secret=cold-secret&scope=read", b"Authorization: Bearer issued-1"],
        ),
    ],
    ids=["none", "basic", "bearer", "header", "query", "two places", "body", "oauth2"],
)
def test_every_kind_of_authentication_is_offered_and_sent(
    serve: Callable[..., ScriptedServer], fields: dict[str, str], sent: list[bytes]
) -> None:
    rows = json.dumps([{"time": "2026-11-20T10:00:00Z", "unit_id": "f1", "temp": 4.5, "scale": "C"}])
    issued = json.dumps({"access_token": "issued-1", "token_type": "Bearer", "expires_in": 3600})
    is_token = b"POST /token"
    server = serve(lambda visit: json_answer(issued if visit.head.startswith(is_token) else rows)(visit))
    setup = SourceSetupFactory(step="connection", source=None, customer=CustomerFactory())
    client = signed_in(setup.customer)
    offered = client.get(step_of(setup, "connection")).content.decode()
    kind = fields["credentials_kind"]
    if kind != "none":
        fields = fields | {"credentials_secret": "cold-secret"}
    if kind == "oauth2":
        fields = fields | {"token_url": f"{server.url}/token"}

    answered = client.post(step_of(setup, "connection"), connection_of(url=f"{server.url}/a", **fields))

    assert answered["Location"] == step_of(setup, "data")
    assert f'<option value="{kind}"' in offered
    requests = b"".join(server.heads)
    assert [part for part in sent if part not in requests] == []
    shown = client.get(step_of(setup, "connection")).content.decode()
    assert "cold-secret" not in shown
    assert "second-key" not in shown


def test_settings_of_the_request_are_checked_where_they_are_entered() -> None:
    setup = SourceSetupFactory(step="connection", source=None, customer=CustomerFactory())

    answered = signed_in(setup.customer).post(
        step_of(setup, "connection"),
        connection_of(credentials_kind="oauth2", credentials_name="c", credentials_secret="s"),
    )

    page = answered.content.decode()
    assert "token_url must be the URL that issues access tokens." in page
    assert '<details class="mb-3" open>' in page


def test_a_stored_secret_that_no_key_fits_is_to_be_entered_again() -> None:
    """The password of basic authentication may be empty, so nothing else would be wrong."""
    setup = SourceSetupFactory()
    Source.objects.update(credentials_kind="basic", credentials_name="u", credentials_secret=Secret("of another key"))
    kept = CONNECTION | {"credentials_kind": "basic", "credentials_name": "u", "credentials_secret": ""}
    kept |= {"url": Source.objects.get().url}

    answered = signed_in(setup.customer).post(step_of(setup, "connection"), kept)

    assert answered.context["form"].errors.keys() == {"credentials_secret"}
    assert Source.objects.get().credentials_secret == Secret("of another key")


def test_data_without_readings_does_not_continue() -> None:
    setup = SourceSetupFactory(step="data", sample=b"")

    answered = signed_in(setup.customer).post(step_of(setup, "data"), MAPPING | {"action": "continue"})

    assert "No row is a reading yet." in answered.content.decode()
    setup.refresh_from_db()
    assert setup.step == "data"


def test_finishing_registers_the_units_and_begins_polling() -> None:
    setup = SourceSetupFactory()

    signed_in(setup.customer).post(step_of(setup, "units"))

    assert sorted(StorageUnit.objects.values_list("unit_code", flat=True)) == ["fridge 1", "fridge 2"]
    assert not Source.objects.get().is_paused
    assert not SourceSetup.objects.exists()


def test_limits_are_chosen_for_the_units_of_the_source_only() -> None:
    """Another facility of the customer may have a unit of the same code, with limits of its own."""
    rows = b"time,facility_id,unit_id,temp\n2026-11-20 10:00,shop,fridge 1,4.5\n2026-11-20 10:00,shop,fridge 2,4.6\n"
    setup = SourceSetupFactory(sample=gzip.compress(rows))
    other = StorageUnitFactory(facility__customer=setup.customer, unit_code="fridge 1")
    profile = LimitProfile.objects.order_by("name").last()
    assert profile is not None

    signed_in(setup.customer).post(step_of(setup, "units"), {"profile-all": str(profile.public_id)})

    chosen = UnitLimits.objects.filter(profile=profile)
    assert sorted(chosen.values_list("storage_unit__unit_code", flat=True)) == ["fridge 1", "fridge 2"]
    assert not chosen.filter(storage_unit=other).exists()


def test_a_discarded_setup_leaves_no_source() -> None:
    setup = SourceSetupFactory()

    signed_in(setup.customer).post(reverse("setup-discard", args=[setup.public_id]))

    assert (SourceSetup.objects.count(), Source.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_saved_first", [True, False])
def test_a_setup_that_is_discarded_while_its_connection_is_saved_leaves_no_source(
    monkeypatch: pytest.MonkeyPatch, is_saved_first: bool
) -> None:
    monkeypatch.setattr(guided_setup, "test_source", lambda *_: None)
    setup = SourceSetupFactory(source=None, customer=CustomerFactory(), step="connection")
    client = signed_in(setup.customer)

    def save() -> PageResponse:
        return client.post(step_of(setup, "connection"), connection_of())

    def discard() -> PageResponse:
        return client.post(reverse("setup-discard", args=[setup.public_id]))

    second = race(save, discard) if is_saved_first else race(discard, save)

    assert second.status_code == (302 if is_saved_first else 404)
    assert (SourceSetup.objects.count(), Source.objects.count()) == (0, 0)


def test_a_setup_that_is_discarded_during_its_test_stays_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = SourceSetupFactory()
    client = signed_in(setup.customer)

    def discard_and_try(source: Source, **options: Any) -> TrialResult:
        client.post(reverse("setup-discard", args=[setup.public_id]))
        return try_source(source, **options)

    monkeypatch.setattr(guided_setup, "try_source", discard_and_try)
    tested = client.post(step_of(setup, "data"), {"action": "test"})

    assert tested.status_code in (200, 302)
    assert (SourceSetup.objects.count(), Source.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_finished_first", [True, False])
def test_a_setup_that_is_discarded_while_it_is_finished_is_either(is_finished_first: bool) -> None:
    """What is discarded leaves no units, and what is finished keeps its source."""
    setup = SourceSetupFactory()
    client = signed_in(setup.customer)

    def finish() -> PageResponse:
        return client.post(step_of(setup, "units"))

    def discard() -> PageResponse:
        return client.post(reverse("setup-discard", args=[setup.public_id]))

    second = race(finish, discard) if is_finished_first else race(discard, finish)

    assert second.status_code == 404
    assert Source.objects.count() == (1 if is_finished_first else 0)
    assert StorageUnit.objects.exists() is is_finished_first


def test_staff_without_permissions_see_nothing() -> None:
    client = Client()
    client.force_login(UserFactory(is_staff=True))

    assert client.get(reverse("setup")).status_code == 403


@pytest.mark.parametrize("is_cleared", [False, True])
def test_stored_headers_stay_until_they_are_removed(serve: Callable[..., ScriptedServer], is_cleared: bool) -> None:
    rows = json.dumps([{"time": "2026-11-20T10:00:00Z", "unit_id": "f1", "temp": 4.5, "scale": "C"}])
    server = serve(json_answer(rows))
    source = SourceFactory(is_paused=True, url=server.url, request_headers="X-Client: second-key")
    setup = SourceSetupFactory(step="data", source=source, customer=source.customer)
    client = signed_in(setup.customer)
    assert "Remove the stored headers" in client.get(step_of(setup, "connection")).content.decode()
    fields = {"url": f"{server.url}/a", "credentials_kind": "none", "request_headers": ""}

    client.post(step_of(setup, "connection"), CONNECTION | fields | ({"clear_headers": "on"} if is_cleared else {}))

    assert (b"X-Client: second-key" in server.heads[0]) is not is_cleared
