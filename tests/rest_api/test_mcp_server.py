"""The MCP server gives assistants what its token may read, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import pytest
from mcp import Client as McpClient
from mcp_types import CallToolResult

from tests.factories import StorageUnitFactory, make_token, store_readings
from tests.rest_api.test_python_client import client_of

# The folder of the client is in the path by now.
from temperature_client import mcp_server  # isort: skip

if TYPE_CHECKING:
    from temperature_client import Client

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")


def converse(client: Client, talk: Callable[[McpClient], Awaitable[T]]) -> T:
    """Connect an assistant to the server and let it talk."""

    async def connected() -> T:
        async with McpClient(mcp_server.server(client)) as assistant:
            return await talk(assistant)

    return asyncio.run(connected())


def call(token: str, tool: str, **arguments: str) -> CallToolResult:
    return converse(client_of(token)[0], lambda assistant: assistant.call_tool(tool, arguments))


def test_every_tool_only_reads() -> None:
    tools = converse(client_of("any")[0], lambda assistant: assistant.list_tools()).tools

    assert {tool.name for tool in tools} == {
        "list_facilities", "list_units", "latest_temperatures", "list_alarms", "list_readings", "statistics",
    }  # fmt: skip
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)


def test_an_assistant_reads_what_its_token_may_read() -> None:
    unit, other = StorageUnitFactory.create(), StorageUnitFactory.create()
    for each in (unit, other):
        store_readings(each, [4.0, 6.0], start=datetime(2026, 1, 1, tzinfo=UTC))
    _, token = make_token(unit.facility.customer, permissions=["read"])
    period = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}

    latest = call(token, "latest_temperatures").structured_content
    listed = call(token, "list_readings", storage_unit_id=str(unit.public_id), **period).structured_content
    figures = call(token, "statistics", storage_unit_id=str(unit.public_id), **period).structured_content

    assert latest is not None
    assert [each["storage_unit_id"] for each in latest["items"]] == [str(unit.public_id)]
    assert listed is not None
    assert [each["temperature"] for each in listed["items"]] == [6.0, 4.0]
    assert listed["is_complete"]
    assert figures is not None
    assert figures["avg_temperature"] == 5.0
    assert call(token, "list_readings", storage_unit_id=str(other.public_id), **period).is_error


def test_a_long_list_says_that_it_is_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = StorageUnitFactory.create()
    StorageUnitFactory.create_batch(2, facility=unit.facility)
    _, token = make_token(unit.facility.customer, permissions=["read"])
    monkeypatch.setattr(mcp_server, "MAX_ITEMS", 2)

    listed = call(token, "list_units", facility_id=str(unit.facility.public_id)).structured_content

    assert listed is not None
    assert (len(listed["items"]), listed["is_complete"]) == (2, False)
