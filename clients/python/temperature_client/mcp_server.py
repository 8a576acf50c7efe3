"""A read-only MCP server: temperatures and alarms for assistants, with what the token may read and nothing else.

`TEMPERATURE_SITE` and `TEMPERATURE_TOKEN` give the site and the token. It speaks MCP on standard input and output.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from mcp.server import MCPServer
from mcp_types import ToolAnnotations

from temperature_client.client import Client, Json

MAX_ITEMS = 500
INSTRUCTIONS = (
    "Temperatures of cold stores. Temperatures are in the unit that each result names; times are ISO 8601 with an"
    f" offset. Lists end after {MAX_ITEMS} items: narrow the request if `is_complete` is false."
)
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True)


def server(client: Client) -> MCPServer:
    """Return the server of what this client may read."""
    mcp = MCPServer("temperature-monitoring", instructions=INSTRUCTIONS, version="1.0.0")

    @mcp.tool(annotations=READS)
    def list_facilities() -> Json:
        """List the facilities with their ids, names, cities and time zones."""
        return _bounded(client.facilities())

    @mcp.tool(annotations=READS)
    def list_units(facility_id: str) -> Json:
        """List the storage units of a facility with their ids, names and set temperatures."""
        return _bounded(client.units(facility_id))

    @mcp.tool(annotations=READS)
    def latest_temperatures() -> Json:
        """Return the latest reading of every storage unit."""
        return _bounded(client.latest())

    @mcp.tool(annotations=READS)
    def list_alarms(state: str = "open") -> Json:
        """List alarms, newest first. `state`: open, acknowledged or closed."""
        return _bounded(client.alarms(state=state))

    @mcp.tool(annotations=READS)
    def list_readings(storage_unit_id: str, start: datetime, end: datetime) -> Json:
        """List the readings of a storage unit in a period, newest first. Both times need an offset."""
        return _bounded(client.readings_of(storage_unit_id, start=start, end=end))

    @mcp.tool(annotations=READS)
    def statistics(start: datetime, end: datetime, storage_unit_id: str = "") -> Json:
        """Return count, average, minimum, maximum, mean kinetic temperature and coverage of a period."""
        filters = {"unit_id": storage_unit_id} if storage_unit_id else {}
        return client.statistics(start=start, end=end, **filters)

    return mcp


def _bounded(items: Iterator[Json]) -> Json:
    found = list(islice(items, MAX_ITEMS + 1))
    return {"items": found[:MAX_ITEMS], "is_complete": len(found) <= MAX_ITEMS}


def main() -> None:
    """Serve until standard input ends."""
    site, token = os.environ.get("TEMPERATURE_SITE"), os.environ.get("TEMPERATURE_TOKEN")
    if not site or not token:
        sys.exit(
            "Set TEMPERATURE_SITE to the site, such as https://cold.example.com, and TEMPERATURE_TOKEN to a token."
        )
    with Client(site, token) as client:
        server(client).run("stdio")


if __name__ == "__main__":
    main()
