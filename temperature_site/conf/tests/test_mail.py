"""The mail server, from one URL."""

import pytest

from temperature_site.conf.services import mail_settings


def test_without_a_url_there_is_none():
    assert mail_settings("") == {}


@pytest.mark.parametrize(
    ("url", "port", "security"),
    [
        ("smtp://mail.example.com", 25, set()),
        ("smtp+tls://u:p@mail.example.com", 587, {"EMAIL_USE_TLS"}),
        ("smtp+ssl://u:p@mail.example.com", 465, {"EMAIL_USE_SSL"}),
        ("smtp+tls://u:p@mail.example.com:2525", 2525, {"EMAIL_USE_TLS"}),
    ],
)
def test_one_url_names_the_mail_server(url, port, security):
    settings = mail_settings(url)
    assert (settings["EMAIL_HOST"], settings["EMAIL_PORT"]) == ("mail.example.com", port)
    assert {name for name in settings if name.startswith("EMAIL_USE")} == security
