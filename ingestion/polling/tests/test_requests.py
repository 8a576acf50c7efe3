"""How a source's request is sent: the documented examples, access tokens, conditional requests, certificates."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from pytest_django import Settings
from time_machine import Traveller

from ingestion.models import Source
from ingestion.models.source_request import SourceRequest
from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling.fetch import FetchedBody
from ingestion.polling.request import request_source
from ingestion.polling.tests.polling import ServedSource, counts, in_turn, json_answer, polled_once
from ingestion.polling.tests.scripted_server import Visit, answer
from tests.factories import SourceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

PAGE = (Path(settings.BASE_DIR) / "docs" / "sources.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```request\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
READINGS = json_body(json_row())
OAUTH = {"credentials_kind": "oauth2", "credentials_name": "client", "credentials_secret": "s3cret-1"}


def settings_of(lines: str) -> dict[str, Any]:
    """Return the fields of an example's settings; a repeated one continues on a further line."""
    fields: dict[str, Any] = {}
    for name, value in (line.split(": ", 1) for line in lines.splitlines()):
        fields[name] = f"{fields[name]}\n{value}" if name in fields else value
    return fields | {name: name in fields for name in ("sends_client_in_body", "sends_conditional_requests")}


def issuer() -> Callable[[Visit], None]:
    """Issue numbered access tokens at /token, and respond with readings elsewhere."""
    count = 0

    def respond(visit: Visit) -> None:
        nonlocal count
        if visit.head.startswith(b"POST /token"):
            count += 1
            body = {"access_token": f"issued-{count}", "token_type": "Bearer", "expires_in": 3600}
            json_answer(json.dumps(body))(visit)
        else:
            answer(READINGS.encode(), headers='Content-Type: application/json\r\nETag: "v1"\r\n')(visit)

    return respond


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_documented_request_is_sent_so(source_of: Callable[..., ServedSource], example: str) -> None:
    lines, expected = example.split("---\n")
    fields = settings_of(lines)
    source = source_of(issuer(), path=fields.pop("url"), cursor_at=NOON - timedelta(hours=1), overlap_seconds=0)
    for name, value in fields.items():
        setattr(source, name, source.server.url + value if name == "token_url" else value)
    source.full_clean()
    source.save()

    polled_once(source)
    if source.sends_conditional_requests:
        polled_once(source)

    sent = [line for head in source.server.heads for line in head.decode().replace("\r\n", "\n").splitlines()]
    assert [line for line in sent if line in expected.splitlines()] == expected.splitlines()


def test_every_setting_and_placeholder_has_an_example() -> None:
    used = {line.partition(":")[0] for example in EXAMPLES for line in example.partition("---")[0].splitlines()}
    settable = {field.name for field in SourceRequest._meta.get_fields() if getattr(field, "editable", False)}
    # Certificates are in the examples of MQTT, whose broker is reached over TLS.
    assert settable - used == {"ca_certificates"}


class TestAccessTokens:
    """A token is kept until it expires, for these credentials only, and requested again if it is refused."""

    def tokens_sent(self, source: ServedSource) -> list[str]:
        return re.findall(r"Bearer (\S+)", b"".join(source.server.heads).decode())

    def oauth_source(self, source_of: Callable[..., ServedSource], script: Callable[[Visit], None]) -> ServedSource:
        source = source_of(script, path="/readings", **OAUTH)
        source.token_url = f"{source.server.url}/token"
        source.save()
        return source

    def test_it_is_kept_until_it_expires(self, source_of: Callable[..., ServedSource], noon: Traveller) -> None:
        source = self.oauth_source(source_of, issuer())
        for _ in range(2):
            assert polled_once(source).status == "success"
        noon.shift(timedelta(hours=1))
        polled_once(source)

        assert self.tokens_sent(source) == ["issued-1", "issued-1", "issued-2"]
        assert "issued" not in str(source.access_token.token)

    def test_other_credentials_need_another_one(self, source_of: Callable[..., ServedSource]) -> None:
        source = self.oauth_source(source_of, issuer())
        polled_once(source)
        Source.objects.filter(pk=source.pk).update(token_scope="other")
        polled_once(source)

        assert self.tokens_sent(source) == ["issued-1", "issued-2"]

    def test_a_revoked_one_is_replaced_once(self, source_of: Callable[..., ServedSource]) -> None:
        respond = issuer()

        def refusing_the_first(visit: Visit) -> None:
            (answer(status="401 Unauthorized") if b"issued-1" in visit.head else respond)(visit)

        source = self.oauth_source(source_of, refusing_the_first)

        assert polled_once(source).status == "success"
        assert self.tokens_sent(source) == ["issued-1", "issued-2"]

    def test_it_is_read_from_a_server_that_compresses_if_it_may(self, source_of: Callable[..., ServedSource]) -> None:
        respond = issuer()
        body = gzip.compress(b'{"access_token": "packed-1", "token_type": "Bearer"}')
        packed = answer(body, headers="Content-Type: application/json\r\nContent-Encoding: gzip\r\n")

        def compress_if_accepted(visit: Visit) -> None:
            is_packed = visit.head.startswith(b"POST /token") and b"Accept-Encoding: gzip" in visit.head
            (packed if is_packed else respond)(visit)

        source = self.oauth_source(source_of, compress_if_accepted)

        assert polled_once(source).status == "success"
        assert self.tokens_sent(source) == ["issued-1"]

    def test_a_response_that_ends_early_is_a_failed_connection(self, source_of: Callable[..., ServedSource]) -> None:
        cut = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"access_token": '
        delivery = polled_once(self.oauth_source(source_of, lambda visit: visit.send(cut)))

        assert (delivery.error_reason, delivery.error_message) == (
            "connection_failed",
            "The token URL closed the connection.",
        )

    def test_a_response_that_does_not_end_is_a_timeout(
        self, source_of: Callable[..., ServedSource], settings: Settings
    ) -> None:
        settings.SOURCE_TOTAL_SECONDS = 0.3
        begun = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"access_token": '

        def begin_only(visit: Visit) -> None:
            visit.send(begun)
            visit.hang()

        assert polled_once(self.oauth_source(source_of, begin_only)).error_reason == "timeout"

    def test_retry_after_of_the_token_url_delays_the_next_poll(self, source_of: Callable[..., ServedSource]) -> None:
        source = self.oauth_source(source_of, answer(status="429 Too Many Requests", headers="Retry-After: 7200\r\n"))
        assert polled_once(source).started_at + timedelta(hours=2) <= source.next_due_at

    @pytest.mark.parametrize(
        "script",
        [
            answer(b'{"error": "invalid_client", "secret": "s3cret-1"}', status="401 Unauthorized"),
            json_answer('{"token_type": "Bearer"}'),
            json_answer('{"access_token": "a", "token_type": "mac"}'),
            json_answer("<html>"),
            json_answer("null"),
            json_answer("[]"),
            json_answer("5"),
            json_answer('{"access_token": "a", "scope": 5, "token_type": "mac"}'),
            json_answer('{"access_token": "a", "expires_at": {}, "expires_in": 1e999, "token_type": "mac"}'),
            json_answer("[" * 100000),
        ],
    )
    def test_a_refusal_fails_the_delivery_without_showing_the_secret(
        self, source_of: Callable[..., ServedSource], script: Callable[[Visit], None]
    ) -> None:
        delivery = polled_once(self.oauth_source(source_of, script))

        assert (delivery.status, delivery.error_reason) == ("failure", "token_refused")
        assert "s3cret-1" not in delivery.error_message + delivery.response_excerpt


class TestConditionalRequests:
    """The response 304 is a successful poll without data."""

    def test_what_is_stored_is_not_sent_again(self, source_of: Callable[..., ServedSource]) -> None:
        first = answer(READINGS.encode(), headers='Content-Type: application/json\r\nETag: "v1"\r\n')
        script = in_turn(first, answer(status="304 Not Modified"))
        source = source_of(script, path="/readings", sends_conditional_requests=True)

        deliveries = [polled_once(source) for _ in range(2)]

        assert [(each.status, counts(each)[0]) for each in deliveries] == [("success", 1), ("success", 0)]
        assert b'If-None-Match: "v1"' in source.server.heads[1]
        assert source.failures_in_a_row == 0

    def test_a_changed_mapping_reads_everything_again(self, source_of: Callable[..., ServedSource]) -> None:
        first = answer(READINGS.encode(), headers="Content-Type: application/json\r\nLast-Modified: yesterday\r\n")
        source = source_of(in_turn(first, first), path="/readings", sends_conditional_requests=True)
        polled_once(source)
        Source.objects.filter(pk=source.pk).update(null_values=["x"])
        polled_once(source)

        assert b"If-Modified-Since" not in source.server.heads[1]

    def test_a_mapping_that_is_changed_during_a_poll_reads_everything_again(
        self, source_of: Callable[..., ServedSource], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the poll stored was read by the former one."""

        def change_meanwhile(source: Source, *args: Any) -> FetchedBody:
            Source.objects.filter(pk=source.pk).update(null_values=["x"])
            return request_source(source, *args)

        monkeypatch.setattr("ingestion.polling.http_poll.request_source", change_meanwhile)
        script = answer(READINGS.encode(), headers='Content-Type: application/json\r\nETag: "v1"\r\n')
        source = source_of(script, path="/readings", sends_conditional_requests=True)
        for _ in range(3):
            polled_once(source)

        assert [b"If-None-Match" in head for head in source.server.heads] == [False, False, True]

    def test_a_response_that_is_not_stored_makes_no_condition(self, source_of: Callable[..., ServedSource]) -> None:
        failed = answer(b"{]", headers='Content-Type: application/json\r\nETag: "v1"\r\n')
        source = source_of(in_turn(failed, json_answer(READINGS)), path="/readings", sends_conditional_requests=True)
        polled_once(source)
        polled_once(source)

        assert b"If-None-Match" not in source.server.heads[1]

    def test_304_without_a_condition_is_a_failure(self, source_of: Callable[..., ServedSource]) -> None:
        assert polled_once(source_of(answer(status="304 Not Modified"))).status == "failure"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"request_headers": "X-Key"}, "request_headers"), ({"request_headers": "Host: a"}, "request_headers"),
        ({"request_headers": "A: 1\na: 2"}, "request_headers"),
        ({"request_headers": "Authorization: x", "credentials_kind": "bearer"}, "request_headers"),
        ({"request_body": "x"}, "request_body"),
        ({"request_method": "POST", "request_body": '{"a": '}, "request_body"),
        ({"request_method": "POST", "request_body": '{"a": "{since:x}"}'}, "request_body"),
        ({"request_method": "POST", "request_body": '{"a": "{secret}"}'}, "request_body"),
        ({"request_method": "POST", "credentials_kind": "body"}, "request_body"),
        ({"request_method": "POST", "request_content_type": "json\r\nX: 1"}, "request_content_type"),
        ({"ca_certificates": "x"}, "ca_certificates"), ({"credentials_kind": "oauth2"}, "token_url"),
        ({"url": "https://a.example.com/?a={since:%Q}"}, "url"),
        ({"url": "https://a.example.com/?a={since:%H}"}, "url"),
        ({"max_hours": 2**31 - 1}, "max_hours"), ({"first_hours": 876_001}, "first_hours"),
        ({"max_hours": ""}, "max_hours"),
    ],
)  # fmt: skip
def test_invalid_settings_are_rejected_at_the_setting(fields: dict[str, str], name: str) -> None:
    with pytest.raises(ValidationError) as raised:
        SourceFactory.build(customer=SourceFactory().customer, **fields).full_clean()

    assert list(raised.value.message_dict) == [name]


def test_secrets_in_headers_are_masked_in_what_is_kept(source_of: Callable[..., ServedSource]) -> None:
    refusal = answer(b'{"message": "wrong abcdef-123"}', status="403 Forbidden")

    delivery = polled_once(source_of(refusal, request_headers="X-Client: abcdef-123"))

    assert delivery.response_excerpt == '{"message": "wrong ***"}'
