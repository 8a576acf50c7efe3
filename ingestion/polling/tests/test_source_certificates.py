"""The certificates of authorities that a source trusts apply to its requests over TLS, and to no other source's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.models import Source
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling.tests.polling import json_answer, polled_once
from ingestion.polling.tests.scripted_server import ScriptedServer, Visit
from tests.certificates import Authority
from tests.factories import SourceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon", "loopback_allowed")]

HOST = "feeds.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def source(serve: Callable[..., ScriptedServer], authority: Authority, resolve: dict[str, str]) -> Source:
    """Return a source that trusts the authority of its server."""

    def respond(visit: Visit) -> None:
        issued = json.dumps({"access_token": "issued-1", "token_type": "Bearer", "expires_in": 3600})
        json_answer(issued if visit.head.startswith(b"POST /token") else json_body(json_row()))(visit)

    server = serve(respond, tls=authority.server_context(HOST))
    resolve |= {HOST: "127.0.0.1", "other.example": "127.0.0.1"}
    source = SourceFactory(url=f"https://{HOST}:{server.port}/readings", ca_certificates=authority.pem)
    source.full_clean()
    return source


def test_a_server_with_a_certificate_of_the_authority_is_read(source: Source) -> None:
    assert polled_once(source).records_stored == 1


def test_access_tokens_are_requested_from_it_as_well(source: Source) -> None:
    Source.objects.update(credentials_kind="oauth2", credentials_name="client", token_url=f"{source.url[:-9]}/token")
    source.refresh_from_db()
    source.credentials_secret = "s3cret-1"
    source.save(update_fields=["credentials_secret"])

    assert polled_once(source).records_stored == 1


def test_without_the_authority_it_is_refused(source: Source) -> None:
    Source.objects.update(ca_certificates="")
    assert polled_once(source).error_reason == "tls_failed"


def test_another_authority_does_not_vouch_for_it(source: Source, tmp_path: Path) -> None:
    Source.objects.update(ca_certificates=Authority(tmp_path).pem)
    assert polled_once(source).error_reason == "tls_failed"


def test_another_name_is_refused(source: Source) -> None:
    Source.objects.update(url=source.url.replace(HOST, "other.example"))
    assert polled_once(source).error_reason == "tls_failed"


def test_other_sources_do_not_trust_it(source: Source) -> None:
    assert polled_once(source).status == "success"
    assert polled_once(SourceFactory(url=source.url)).error_reason == "tls_failed"
