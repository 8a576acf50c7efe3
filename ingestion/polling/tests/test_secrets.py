"""Secrets of sources appear in no log, delivery, rejected row, page or table."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client

from customers.models import Membership
from ingestion import guided_setup
from ingestion.models import RejectedRow, Source
from ingestion.polling.tests.polling import ServedSource, csv_answer, polled_once
from ingestion.polling.tests.scripted_server import answer
from tests.factories import MembershipFactory, SourceSetupFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback_allowed")]
CANARY, URL_CANARY = "canary-5up3r-s3cr3t-Value", "urlCanary1234567890x"
PATH = f"/hooks/{URL_CANARY}/data?hours={{hours}}&code={URL_CANARY}&sig={URL_CANARY}"


def in_tables(text: str) -> list[str]:
    """Return the tables of which a row contains the text, as a dump of the database would."""
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            name = connection.ops.quote_name(table)
            cursor.execute(f"SELECT EXISTS (SELECT FROM {name} each WHERE position(%s IN each::text) > 0)", [text])  # noqa: S608
            if cursor.fetchone()[0]:
                found.append(table)
        return found


def test_the_url_of_a_failed_poll_is_redacted_like_that_of_a_successful_one(
    source_of: Callable[..., ServedSource],
) -> None:
    failed = polled_once(source_of(answer(b"no", status="500 Oops"), PATH))
    loaded = polled_once(source_of(csv_answer("unit_id,temperature,timestamp\n"), PATH))
    for delivery in (failed, loaded):
        assert "/hooks/***/data?" in delivery.source_url
        assert delivery.source_url.endswith("&code=***&sig=***")


def test_credentials_that_a_source_sends_back_are_stored_nowhere(
    source_of: Callable[..., ServedSource],
    client: Client,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    echo = f"unit_id,temperature,timestamp\n{CANARY},x,2026-11-23T10:00:00\n"
    credentials = {"credentials_kind": "header", "credentials_name": "X-Station", "credentials_secret": CANARY}
    source = source_of(csv_answer(echo), PATH, structure_url="", **credentials)

    polled_once(source)

    assert RejectedRow.objects.get().raw == "***,x,2026-11-23T10:00:00"
    assert in_tables(CANARY) == []
    assert in_tables(URL_CANARY) == []
    written = caplog.text + "".join(capfd.readouterr())
    assert CANARY not in written
    assert URL_CANARY not in written
    member = MembershipFactory(customer=source.customer, role=Membership.Role.MANAGER)
    client.force_login(member.user)
    page = client.get(f"/sources/{source.public_id}")
    assert page.status_code == 200
    assert CANARY not in page.content.decode()
    assert URL_CANARY not in page.content.decode()


def test_the_response_that_a_setup_keeps_contains_no_credentials(source_of: Callable[..., ServedSource]) -> None:
    echo = f"unit_id,temperature,timestamp\n{CANARY},5.5,2026-11-23T10:00:00\n".encode() + b"\xff\n"
    source = source_of(csv_answer(echo), PATH, credentials_kind="bearer", credentials_secret=CANARY)
    setup = SourceSetupFactory(source=source, customer=source.customer)

    guided_setup.test_source(setup, source)

    assert gzip.decompress(setup.sample) == echo.replace(CANARY.encode(), b"***")


def test_an_address_with_secrets_is_stored_encrypted_and_found_by_its_host(
    source_of: Callable[..., ServedSource],
) -> None:
    source = source_of(csv_answer("unit_id,temperature,timestamp\n"), PATH)
    whole = source.request_url
    assert whole.endswith(PATH)
    assert source.url.endswith("/hooks/***/data?hours={hours}&code=***&sig=***")
    assert list(Source.objects.filter(url__icontains="127.0.0.1")) == [source]

    source.name = "Renamed"
    source.full_clean()
    source.save()
    assert Source.objects.get(pk=source.pk).request_url == whole


def test_another_address_with_a_hidden_part_is_refused(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(csv_answer("unit_id,temperature,timestamp\n"), PATH)
    source.url = source.url.replace("/data", "/other")
    with pytest.raises(ValidationError, match="Enter the whole URL"):
        source.full_clean()


def test_an_address_without_secrets_replaces_one_with_secrets(source_of: Callable[..., ServedSource]) -> None:
    source = source_of(csv_answer("unit_id,temperature,timestamp\n"), PATH)
    source.url = "https://cold.example.com/data"
    source.save(update_fields=["url"])
    stored = Source.objects.get(pk=source.pk)
    assert (stored.request_url, bool(stored.url_secret)) == ("https://cold.example.com/data", False)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"user": "a", "Api_Key" : "b\\"c", "n": 1}', '{"user": "a", "Api_Key" : "***", "n": 1}'),
        ('{"keys": ["t"], "unit_code": "7"}', '{"keys": ["t"], "unit_code": "7"}'),
        ("user=a&password=b%20c&hours={hours}", "user=a&password=***&hours={hours}"),
        ("token={secret}&unit={unit}", "token={secret}&unit={unit}"),
        ('<q><pwd>b</pwd><unit sig="c" id="d"/></q>', '<q><pwd>***</pwd><unit sig="***" id="d"/></q>'),
    ],
)
def test_literal_secrets_in_a_body_are_encrypted_and_sent(
    source_of: Callable[..., ServedSource], body: str, shown: str
) -> None:
    source = source_of(csv_answer("unit_id,temperature,timestamp\n"), "/data")
    source.request_method, source.request_body = "POST", body
    source.save()
    stored = Source.objects.get(pk=source.pk)
    assert (stored.request_body, stored.whole_request_body) == (shown, body)
