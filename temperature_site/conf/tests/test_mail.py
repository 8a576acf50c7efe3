"""The mail server, from one URL."""

from __future__ import annotations

import pytest

from temperature_site.conf.services import mail_settings


def test_without_a_url_there_is_none() -> None:
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
def test_one_url_names_the_mail_server(url: str, port: int, security: set[str]) -> None:
    settings = mail_settings(url)
    assert (settings["EMAIL_HOST"], settings["EMAIL_PORT"]) == ("mail.example.com", port)
    assert {name for name in settings if name.startswith("EMAIL_USE")} == security
