"""Credentials authenticate requests and are redacted in logs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.crypto.redaction import redact_url
from ingestion.sources.credentials import Credentials, CredentialsKind, mask_secret

URL = "https://feeds.example/readings?hours=24#top"


def test_no_credentials_leave_the_request_unchanged() -> None:
    request = Credentials().authenticate(URL)

    assert (request.url, request.headers, request.basic_auth) == (URL, {}, None)


def test_basic_credentials_are_a_user_and_a_password() -> None:
    request = Credentials(CredentialsKind.BASIC, "cold store", "a:b").authenticate(URL)

    assert (request.url, request.headers, request.basic_auth) == (URL, {}, ("cold store", "a:b"))


def test_a_bearer_token_is_an_authorization_header() -> None:
    request = Credentials(CredentialsKind.BEARER, secret="abc.def").authenticate(URL)

    assert (request.url, request.headers) == (URL, {"Authorization": "Bearer abc.def"})


def test_a_header_has_the_configured_name() -> None:
    assert Credentials(CredentialsKind.HEADER, "X-Api-Key", "k 1").authenticate(URL).headers == {"X-Api-Key": "k 1"}


def test_a_query_parameter_is_encoded_and_marked_as_secret() -> None:
    request = Credentials(CredentialsKind.QUERY, "code", "a&b=c").authenticate(URL)

    assert request.url == "https://feeds.example/readings?hours=24&code=a%26b%3Dc#top"
    assert request.secret_query_names == {"code"}
    assert Credentials(CredentialsKind.QUERY, "code", "1").authenticate("http://a/b").url == "http://a/b?code=1"


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(CredentialsKind.BASIC, "", "password"),
        Credentials(CredentialsKind.BASIC, "a:b", "password"),
        Credentials(CredentialsKind.BEARER, "", ""),
        Credentials(CredentialsKind.BEARER, "", "abc\r\nHost: other"),
        Credentials(CredentialsKind.HEADER, "X Key", "1"),
        Credentials(CredentialsKind.HEADER, "", "1"),
        Credentials(CredentialsKind.HEADER, "Host", "other"),
        Credentials(CredentialsKind.HEADER, "content-length", "5"),
        Credentials(CredentialsKind.HEADER, "X-Key", "漢"),
        Credentials(CredentialsKind.QUERY, "", "1"),
        Credentials(CredentialsKind.QUERY, "key", ""),
    ],
)
def test_invalid_credentials_are_rejected_with_a_message(credentials: Credentials) -> None:
    message = credentials.validation_error()
    assert message is not None
    assert message.endswith(".")
    with pytest.raises(ValueError, match=r"\.$"):
        credentials.authenticate(URL)


def test_credentials_and_requests_do_not_show_their_secrets() -> None:
    credentials = Credentials(CredentialsKind.QUERY, "key", "hunter2")

    assert "hunter2" not in repr(credentials) + repr(credentials.authenticate(URL))


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://feeds.example/a?hours=24&unit=1", "https://feeds.example/a?hours=24&unit=1"),
        ("https://u:p@feeds.example:8443/a", "https://***@feeds.example:8443/a"),
        ("https://u:p@x@feeds.example/a", "https://***@feeds.example/a"),
        ("https://u:p/w@feeds.example/a", "https://***"),
        ("https://u:p#w@feeds.example/a", "https://***"),
        ("https://feeds.example/users/me@x.example/a", "https://feeds.example/users/me@x.example/a"),
        ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]:80/a"),
        ("https://feeds.example/a?api_key=1&Token=2&x=3", "https://feeds.example/a?api_key=***&Token=***&x=3"),
        ("https://feeds.example/a?X-Amz-Signature=1;pwd=2", "https://feeds.example/a?X-Amz-Signature=***;pwd=***"),
        ("https://feeds.example/a?%6bey=1&key=&key", "https://feeds.example/a?%6bey=***&key=&key"),
        ("https://feeds.example/a#token=1", "https://feeds.example/a"),
        ("u:p@feeds.example/a", "***@feeds.example/a"),
        ("https://feeds.example/a?code=1&sig=2&unit_code=u1", "https://feeds.example/a?code=***&sig=***&unit_code=u1"),
        ("https://feeds.example/hooks/9fQ2x7LmZ81kTTb04Wc/data", "https://feeds.example/hooks/***/data"),
        ("https://feeds.example/token/abc/data?hours={hours}", "https://feeds.example/token/***/data?hours={hours}"),
        ("https://feeds.example/6f1c9a52-6c4f-4c3e-9d2b-0a1b2c3d4e5f/a", "https://feeds.example/***/a"),
        ("https://feeds.example/xoxb-1234567890ab-AbCdEfGhIjKlMnOp", "https://feeds.example/***"),
        (
            "https://feeds.example/temperature/historical-readings/{unit}",
            "https://feeds.example/temperature/historical-readings/{unit}",
        ),
        ("https://feeds.example/temperature/unit/unit_A_1_1", "https://feeds.example/temperature/unit/unit_A_1_1"),
        ("", ""),
    ],
)
def test_a_url_for_a_log_shows_no_secrets(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


def test_the_credentials_parameter_is_redacted_whatever_its_name() -> None:
    assert redact_url("https://feeds.example/a?Code=1&hours=2", {"code"}) == "https://feeds.example/a?Code=***&hours=2"


def test_a_row_that_repeats_the_credentials_shows_them_not() -> None:
    credentials = Credentials(CredentialsKind.HEADER, "X-Api", 'pa"ss/word')
    row = r'{"echo": "pa\"ss/word", "url": "?k=pa%22ss%2Fword"}'
    assert mask_secret(row, credentials) == '{"echo": "***", "url": "?k=***"}'


def test_a_secret_as_short_as_a_value_is_not_masked_in_rows() -> None:
    assert mask_secret("A,u,-70.5", Credentials(CredentialsKind.HEADER, "X-Api", "-70.5")) == "A,u,-70.5"


@given(st.text(max_size=60))
def test_any_text_can_be_redacted_and_redacting_twice_changes_nothing(text: str) -> None:
    assert redact_url(redact_url(text)) == redact_url(text)
