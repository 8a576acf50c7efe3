"""Topic filters: what is valid, and which unit a topic names."""

from __future__ import annotations

import paho.mqtt.client as mqtt
import pytest

from ingestion.models import Source
from ingestion.sources import SettingError
from ingestion.sources.topics import check_filters, parse_broker, subscription, unit_in
from ingestion.subscribing.client import Received, SourceClient


@pytest.mark.parametrize(
    ("topic", "filters", "unit"),
    [
        ("stores/F1/temperature", ["stores/{unit}/temperature"], "F1"),
        ("stores/7/F1/temperature", ["stores/+/{unit}/#"], "F1"),
        ("stores/7/F1", ["stores/+/{unit}/#"], "F1"),
        ("stores/7", ["stores/+/{unit}/#"], ""),
        ("other/F2", ["stores/{unit}", "other/{unit}"], "F2"),
        ("stores/F1", ["stores/+"], ""),
        ("stores/F1/more", ["stores/{unit}"], ""),
    ],
)
def test_a_level_of_the_topic_names_the_unit(topic: str, filters: list[str], unit: str) -> None:
    assert unit_in(topic, filters) == unit


@pytest.mark.parametrize(
    ("topic", "is_wanted"),
    [(b"stores/F1", True), (b"other/F1", False), (b"stores/\0", False), (b"stores/\xff", False)],
)
def test_only_topics_of_the_source_are_handed_over(
    topic: bytes, is_wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are acknowledged, or a broker that sends what is no text would send it for ever."""
    handed_over: list[Received] = []
    acknowledged: list[int] = []
    source = Source(topic_filters=["stores/{unit}"])
    client = SourceClient(source, handed_over.append, lambda *_: None)
    monkeypatch.setattr(client, "ack", lambda mid, _: acknowledged.append(mid))

    client._received(client, None, mqtt.MQTTMessage(mid=7, topic=topic))

    assert (len(handed_over), acknowledged) == ((1, []) if is_wanted else (0, [7]))


def test_the_broker_sees_a_wildcard_in_its_place() -> None:
    assert subscription("stores/+/{unit}/#") == "stores/+/+/#"


@pytest.mark.parametrize(
    "filters", [[], [""], ["a/#/b"], ["a/b#"], ["a/b+"], ["$SYS/#"], ["{unit}/{unit}"], ["a/{device}"], ["x" * 1001]]
)
def test_invalid_filters_are_rejected_by_name(filters: list[str]) -> None:
    with pytest.raises(SettingError, match="topic_filters"):
        check_filters(filters)


@pytest.mark.parametrize(
    "url", ["", "http://a", "mqtt://", "mqtt://u:p@a", "mqtt://a/b", "mqtt://a#b", "mqtt://a:x", "mqtt://a:99999"]
)
def test_an_invalid_broker_is_rejected(url: str) -> None:
    with pytest.raises(SettingError, match="broker_url"):
        parse_broker(url)


def test_the_port_follows_from_the_scheme() -> None:
    assert parse_broker("mqtts://broker.example.com") == ("broker.example.com", 8883, True)
    assert parse_broker("mqtt://127.0.0.1:1884/") == ("127.0.0.1", 1884, False)
