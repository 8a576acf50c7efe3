"""Topic filters: what is valid, and which unit a topic names."""

from __future__ import annotations

import pytest

from ingestion.sources.topics import TopicError, check_filters, parse_broker, subscription, unit_in


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


def test_the_broker_sees_a_wildcard_in_its_place() -> None:
    assert subscription("stores/+/{unit}/#") == "stores/+/+/#"


@pytest.mark.parametrize(
    "filters", [[], [""], ["a/#/b"], ["a/b#"], ["a/b+"], ["$SYS/#"], ["{unit}/{unit}"], ["a/{device}"], ["x" * 1001]]
)
def test_invalid_filters_are_rejected_by_name(filters: list[str]) -> None:
    with pytest.raises(TopicError, match="topic_filters"):
        check_filters(filters)


@pytest.mark.parametrize(
    "url", ["", "http://a", "mqtt://", "mqtt://u:p@a", "mqtt://a/b", "mqtt://a#b", "mqtt://a:x", "mqtt://a:99999"]
)
def test_an_invalid_broker_is_rejected(url: str) -> None:
    with pytest.raises(TopicError, match="broker_url"):
        parse_broker(url)


def test_the_port_follows_from_the_scheme() -> None:
    assert parse_broker("mqtts://broker.example.com") == ("broker.example.com", 8883, True)
    assert parse_broker("mqtt://127.0.0.1:1884/") == ("127.0.0.1", 1884, False)
