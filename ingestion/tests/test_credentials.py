"""What a source authenticates with."""

import logging

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError
from django.db import connection, models
from hypothesis import given
from hypothesis import strategies as st

from ingestion.credentials import (
    Credentials,
    CredentialsKind,
    CredentialsUnreadable,
    decrypt,
    encrypt,
    redact_url,
    reencrypt,
)
from ingestion.encrypted_field import EncryptedTextField, Secret


@pytest.fixture(autouse=True)
def _one_key(settings):
    settings.SOURCE_CREDENTIALS_KEYS = ["first secret"]
    settings.SECRET_KEY_FALLBACKS = []


def test_what_was_encrypted_is_decrypted():
    assert decrypt(encrypt("pä$$wörd\n°C")) == "pä$$wörd\n°C"


def test_no_two_tokens_are_alike_and_none_shows_the_text():
    one, other = encrypt("hunter2hunter2"), encrypt("hunter2hunter2")

    assert one != other
    assert "hunter2" not in one + other


def test_a_new_secret_in_front_still_reads_what_the_old_one_wrote(settings):
    token = encrypt("password")

    settings.SOURCE_CREDENTIALS_KEYS = ["second secret", "first secret"]

    assert decrypt(token) == "password"


def test_a_reencrypted_token_no_longer_needs_the_old_secret(settings):
    token = encrypt("password")
    settings.SOURCE_CREDENTIALS_KEYS = ["second secret", "first secret"]

    renewed = reencrypt(token)

    settings.SOURCE_CREDENTIALS_KEYS = ["second secret"]
    assert decrypt(renewed) == "password"
    with pytest.raises(CredentialsUnreadable):
        decrypt(token)


def test_without_keys_of_their_own_credentials_are_under_the_secret_key_and_its_fallbacks(settings):
    settings.SOURCE_CREDENTIALS_KEYS = []
    settings.SECRET_KEY = "old site secret"
    token = encrypt("password")

    settings.SECRET_KEY = "new site secret"
    with pytest.raises(CredentialsUnreadable):
        decrypt(token)
    settings.SECRET_KEY_FALLBACKS = ["old site secret"]
    assert decrypt(token) == "password"


@pytest.mark.parametrize(
    "token", ["", "damaged", "gAAAAA", "ümlaut", Fernet(Fernet.generate_key()).encrypt(b"x").decode()]
)
def test_a_token_that_no_secret_reads_says_what_to_do(token):
    with pytest.raises(CredentialsUnreadable, match=r"SOURCE_CREDENTIALS_KEYS.*enter the credentials again"):
        decrypt(token)
    with pytest.raises(CredentialsUnreadable):
        reencrypt(token)


class Feed(models.Model):
    """A model for these tests; it has no table."""

    secret = EncryptedTextField(null=True, blank=True)

    class Meta:
        app_label = "tests_of_the_encrypted_field"  # none that is installed: migrations must not see it
        managed = False


def test_an_assigned_text_is_encrypted_at_once_and_shown_by_nothing(caplog):
    feed = Feed(secret="hunter2")

    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%s %r %s", feed.secret, feed.secret, vars(feed))

    assert isinstance(feed.secret, Secret)
    assert feed.secret.reveal() == "hunter2"
    assert "hunter2" not in caplog.text
    assert str(feed.secret) == "***"
    assert repr(feed.secret) == "<Secret ***>"


def test_a_field_stores_the_token_and_loads_it_without_reading_it(settings):
    field = Feed._meta.get_field("secret")
    stored = field.get_prep_value("hunter2")
    settings.SOURCE_CREDENTIALS_KEYS = ["another secret"]

    loaded = Feed.from_db("default", ["id", "secret"], [1, field.from_db_value(stored, None, connection)])

    assert repr(loaded.secret) == "<Secret ***>"
    assert field.get_prep_value(loaded.secret) == stored
    with pytest.raises(CredentialsUnreadable):
        loaded.secret.reveal()


def test_none_and_the_empty_text_are_no_secrets():
    field = Feed._meta.get_field("secret")

    assert field.from_db_value(None, None, connection) is None
    assert field.get_prep_value(None) is None
    assert field.get_prep_value("") == ""
    assert Feed(secret=None).secret is None
    assert not Feed(secret="").secret
    assert Feed(secret="").secret.reveal() == ""


@pytest.mark.parametrize("lookup", ["secret", "secret__exact", "secret__contains", "secret__in", "secret__length"])
def test_encrypted_text_cannot_be_looked_up(lookup):
    with pytest.raises(FieldError):
        Feed.objects.filter(**{lookup: "hunter2"})


def test_it_can_be_asked_whether_there_is_any():
    assert "IS NULL" in str(Feed.objects.filter(secret__isnull=True).query)


def test_a_form_never_shows_the_secret_and_an_empty_input_keeps_it():
    field = Feed._meta.get_field("secret")
    feed = Feed(secret="hunter2")

    shown = field.formfield().widget.render("secret", feed.secret)
    field.save_form_data(feed, "")
    kept = feed.secret.reveal()
    field.save_form_data(feed, " new one ")

    assert "value" not in shown
    assert kept == "hunter2"
    assert feed.secret.reveal() == " new one "


def test_a_fixture_carries_no_secret():
    assert Feed._meta.get_field("secret").value_to_string(Feed(secret="hunter2")) == ""


URL = "https://feeds.example/readings?hours=24#top"


def test_no_credentials_change_nothing():
    request = Credentials().applied_to(URL)

    assert (request.url, request.headers, request.basic_auth) == (URL, {}, None)


def test_basic_credentials_are_a_user_and_a_password():
    request = Credentials(CredentialsKind.BASIC, "cold store", "a:b").applied_to(URL)

    assert (request.url, request.headers, request.basic_auth) == (URL, {}, ("cold store", "a:b"))


def test_a_bearer_token_is_an_authorization_header():
    request = Credentials(CredentialsKind.BEARER, secret="abc.def").applied_to(URL)

    assert (request.url, request.headers) == (URL, {"Authorization": "Bearer abc.def"})


def test_a_header_is_named_by_the_customer():
    assert Credentials(CredentialsKind.HEADER, "X-Api-Key", "k 1").applied_to(URL).headers == {"X-Api-Key": "k 1"}


def test_a_query_parameter_is_added_encoded_and_known_as_secret():
    request = Credentials(CredentialsKind.QUERY, "code", "a&b=c").applied_to(URL)

    assert request.url == "https://feeds.example/readings?hours=24&code=a%26b%3Dc#top"
    assert request.secret_query_names == {"code"}
    assert Credentials(CredentialsKind.QUERY, "code", "1").applied_to("http://a/b").url == "http://a/b?code=1"


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
def test_credentials_that_cannot_work_are_refused_with_a_sentence(credentials):
    assert credentials.problem().endswith(".")
    with pytest.raises(ValueError, match=r"\.$"):
        credentials.applied_to(URL)


def test_credentials_and_requests_do_not_show_their_secrets():
    credentials = Credentials(CredentialsKind.QUERY, "key", "hunter2")

    assert "hunter2" not in repr(credentials) + repr(credentials.applied_to(URL))


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
        ("", ""),
    ],
)
def test_a_url_for_a_log_shows_no_secrets(url, redacted):
    assert redact_url(url) == redacted


def test_the_parameter_that_carries_the_credentials_is_hidden_whatever_its_name():
    assert redact_url("https://feeds.example/a?Code=1&hours=2", {"code"}) == "https://feeds.example/a?Code=***&hours=2"


@given(st.text(max_size=60))
def test_any_text_can_be_redacted_and_redacting_twice_changes_nothing(text):
    assert redact_url(redact_url(text)) == redact_url(text)
