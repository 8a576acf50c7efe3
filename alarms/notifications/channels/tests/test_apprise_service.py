"""Apprise services: only those with fixed hosts are allowed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from html import escape, unescape
from ipaddress import ip_address
from typing import Any

import pytest
import requests
from apprise.manager_plugins import NotificationManager
from requests.models import Response

from alarms.models import Attempt, Channel
from alarms.notifications.channels import apprise_service
from alarms.notifications.channels.apprise_service import has_fixed_hosts, settings_error
from alarms.notifications.tests.delivery import deliver_due
from core.http.addresses import Endpoint
from tests.alarm_factories import ChannelFactory, MessageFactory

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alarms"
GOOD = [
    SLACK,
    "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "tgram://123456789:abcdefg_hijklmnop/12315544",
    "twilio://AC735c307c62944b5a9ee7d4d0b7cd2b3b:1f6b1a8a3e6b4f0d8b0f9b1a8a3e6b4f@15551230000/15551231234",
    "pover://dabcde0123456789abcde012345678@abcde0123456789abcde0123456789",
    "pagerduty://0123456789abcdef@0123456789abcdef0123",
]
REFUSED = [
    "json://127.0.0.1/", "jsons://example.com/", "xml://example.com", "form://example.com",
    "mailto://user:password@example.com", "gotify://example.com/token", "ntfy://example.com/topic",
    "ntfys://topic", "matrix://example.com", "mmost://example.com/token", "rocket://u:p@example.com/room",
    "apprises://example.com/token", "hassio://example.com/token", "kodi://example.com", "rsyslog://127.0.0.1",
    "syslog://", "dbus://", "qt://", "gnome://", "macosx://", "windows://", "blink1://", "mqtt://example.com/topic",
    "signal://example.com/15551230000/15551231234", "workflows://example.com/a/b", "bluesky://user@password",
    "fcm://project/target?keyfile=/etc/passwd", "vapid://me@example.com/you?keyfile=/etc/passwd",
    "nostr://secret", "sns://key/secret/region/topic",
]  # fmt: skip
UNKNOWN_TEXT = [
    "",
    "slack",
    "nonsense://x",
    "https://hooks.slack.com/services/T1/A1/x",
    "file:///etc/passwd",
    "http://127.0.0.1/",
]


@pytest.mark.parametrize("url", GOOD)
def test_services_with_fixed_hosts_are_accepted(url: str) -> None:
    assert settings_error("", url) == ""


@pytest.mark.parametrize("url", [*REFUSED, *UNKNOWN_TEXT])
def test_services_with_arbitrary_hosts_are_rejected(url: str) -> None:
    assert settings_error("", url).endswith(".")
    assert apprise_service._service(url) is None


def test_an_incomplete_url_is_rejected() -> None:
    assert settings_error("", "slack://T1JJ3T3L2") == "The URL is incomplete for this service."


@pytest.mark.parametrize("url", [f"{SLACK}/#boss", f"{SLACK}?to=boss", f"{GOOD[2]}/12315545", f"{GOOD[3]}/15551231235"])
def test_a_url_with_several_targets_is_rejected(url: str) -> None:
    """If one of them failed, the others would get every retry."""
    assert settings_error("", url) == "The URL has 2 targets. Add a channel for each of them."


def test_several_urls_are_rejected() -> None:
    assert settings_error("", f"{SLACK}, {GOOD[1]}").endswith("targets. Add a channel for each of them.")


def all_plugins() -> list[Any]:
    manager = NotificationManager()
    manager.load_modules()
    return list(manager.plugins(include_disabled=True))


def test_no_accepted_service_takes_a_host_or_reads_a_file() -> None:
    taken = [plugin for plugin in all_plugins() if has_fixed_hosts(plugin)]
    assert len(taken) > 50
    for plugin in taken:
        assert "{host}" not in " ".join(plugin.templates)
        assert not {"host", "keyfile", "subfile"} & {*plugin.template_tokens, *plugin.template_args}


# The requests that were sent, by address and arguments; and the status of the answers, which a test may replace.
Answers = tuple[list[tuple[str, dict[str, Any]]], list[int]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Record requests to services instead of sending them; `status` is the answer."""
    requests_sent: list[tuple[str, dict[str, Any]]] = []

    def request(session: object, method: str, url: str, **kwargs: Any) -> Response:
        requests_sent.append((url, kwargs))
        response = requests.Response()
        response.status_code, response._content, response.url = answers_status[0], b"ok", url
        return response

    answers_status = [200]
    monkeypatch.setattr(requests.Session, "request", request)
    return requests_sent, answers_status


@pytest.mark.django_db
def test_a_message_goes_to_the_services_own_host_regardless_of_the_url(answers: Answers) -> None:
    requests_sent, _ = answers
    loosened = SLACK.replace("/#alarms", "/alarms") + "?verify=no&redirect=yes&rto=600&cto=600&retry=5"
    MessageFactory(
        channel=ChannelFactory(kind=Channel.Kind.APPRISE, address="", secret=loosened), subject="Critical: x"
    )
    (attempt,) = deliver_due()
    ((url, options),) = requests_sent
    assert url.startswith("https://hooks.slack.com/services/")
    assert (options["verify"], options["allow_redirects"]) == (True, False)
    assert max(options["timeout"]) <= 10
    assert "Critical: x" in str(options["data"])
    assert attempt.outcome == Attempt.Outcome.DELIVERED


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["Fridge <b", "<i>Fridge", "R&amp;D", "--> <!-- Fridge", "<a href='http://x'>Fridge</a>"]
)
def test_names_are_text_also_for_a_service_that_takes_html(answers: Answers, name: str) -> None:
    """They were taken for tags, which hid the name or all that follows."""
    requests_sent, _ = answers
    channel = ChannelFactory(
        kind=Channel.Kind.APPRISE, address="", secret="tgram://123456789:abcdefg_hijklmnop/12315544"
    )
    MessageFactory(channel=channel, subject=f"Critical: {name}", body=f"Critical: {name}\n\nStarted: now")
    deliver_due()
    ((_, options),) = requests_sent
    text, as_text = json.loads(options["data"])["text"], escape(name, quote=False)
    assert text.split("\r\n", 1)[0] == f"<b>Critical: {as_text}</b>"
    assert [line for line in text.splitlines()[1:] if line] == [f"Critical: {as_text}", "Started: now"]


@pytest.mark.django_db
@pytest.mark.parametrize("mention", ["@everyone", "@here", "<@123>", "<@!123>", "<@&123>"])
def test_a_name_mentions_nobody(answers: Answers, mention: str) -> None:
    requests_sent, _ = answers
    channel = ChannelFactory(kind=Channel.Kind.APPRISE, address="", secret=GOOD[1])
    MessageFactory(channel=channel, subject=f"Critical: {mention}", body=f"{mention}\n\nAcknowledged by a@example.com")
    deliver_due()
    ((_, options),) = requests_sent
    content = json.loads(options["data"])["content"]
    assert mention not in content
    assert content.replace("\u200b", "").count(mention) == 2
    assert "a@example.com" in content


# The most characters that each service takes in one message, its title included.
LONGEST = {"discord": 2_000, "tgram": 4_096, "twilio": 1_600, "pover": 1_024, "pagerduty": 1_024}


@pytest.mark.django_db
@pytest.mark.parametrize("url", [url for url in GOOD if url != SLACK])
def test_a_digest_is_cut_to_what_the_service_takes(answers: Answers, url: str) -> None:
    """Services reject longer text, so a long digest would never arrive; its subject says how much there is."""
    requests_sent, _ = answers
    subject = "100 messages about 100 alarms, 7 critical"
    lines = [f"- Critical: temperature, Fridge {number} & 1 in Pharmacy, 12.3 °C" for number in range(100)]
    channel = ChannelFactory(kind=Channel.Kind.APPRISE, address="", secret=url)
    MessageFactory(channel=channel, subject=subject, body="\n".join([subject, "", *lines]))
    deliver_due()
    ((_, options),) = requests_sent
    data = options["data"]
    text = max(_texts(json.loads(data) if isinstance(data, str) else data), key=len)
    assert subject in text
    assert "Fridge 0" in text
    assert len(unescape(text)) <= LONGEST[url.partition(":")[0]]


def _texts(data: object) -> Iterator[str]:
    if isinstance(data, dict):
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, str):
        yield data


@pytest.mark.django_db
def test_a_failure_states_its_reason_without_secrets(answers: Answers) -> None:
    _, status = answers
    status[0] = 403
    MessageFactory(channel=ChannelFactory(kind=Channel.Kind.APPRISE, address="", secret=SLACK))
    (attempt,) = deliver_due()
    assert attempt.outcome == Attempt.Outcome.FAILED
    assert "403" in attempt.answer
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in attempt.answer


@pytest.mark.django_db
def test_neither_a_proxy_of_the_environment_nor_a_private_address_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int) -> list[Endpoint]:
        return [Endpoint(socket.AF_INET, ("127.0.0.1", port), ip_address("127.0.0.1"))]

    monkeypatch.setattr("core.http.addresses._ask_resolver", resolve)
    MessageFactory(channel=ChannelFactory(kind=Channel.Kind.APPRISE, address="", secret=SLACK))
    with closing(socket.create_server(("127.0.0.1", 0))) as canary:
        canary.setblocking(False)
        for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{canary.getsockname()[1]}")

        (attempt,) = deliver_due()

        with pytest.raises(BlockingIOError):
            canary.accept()
    assert attempt.outcome == Attempt.Outcome.FAILED
