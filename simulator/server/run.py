"""Ports: where each customer listens, and starting and stopping the servers."""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from aiohttp import web

from simulator.model.fleet import Customer
from simulator.model.simulation import Simulation
from simulator.server.app import make_application

FIRST_PORT = 8001
_SHUTDOWN_SECONDS = 1.0
_START_SECONDS = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """Where a customer can be reached; `url` has no trailing slash."""

    customer: Customer
    url: str

    def line(self) -> str:
        """Return the line about it that is printed at start-up."""
        customer = self.customer
        return f"({customer.data_sharing_method.upper()}) {customer.name} ({customer.code}) on {self.url}"


@dataclass(frozen=True)
class Ports:
    """How customers share ports: customer n on `first` + n, or all on `first`. 0 means any free ports."""

    first: int = FIRST_PORT
    host: str = "127.0.0.1"
    single: bool = False


@asynccontextmanager
async def listening(
    simulation: Simulation, ports: Ports, positions: dict[str, int] | None = None
) -> AsyncIterator[list[Address]]:
    """Serve while the context lasts; yield every customer's address. Raise OSError if a port is in use.

    positions: each customer's n where it differs from its position in this simulation's fleet.
    """
    runners: list[web.AppRunner] = []
    try:
        if ports.single:
            base = await _serve(runners, make_application(simulation), ports.host, ports.first)
            yield [Address(each, f"{base}/c/{each.code}") for each in simulation.fleet.customers]
        else:
            addresses = []
            for position, customer in enumerate(simulation.fleet.customers):
                number = (positions or {}).get(customer.code, position)
                port = ports.first + number if ports.first else 0
                application = make_application(simulation, customer.code)
                addresses.append(Address(customer, await _serve(runners, application, ports.host, port)))
            yield addresses
    finally:
        await asyncio.gather(*(runner.cleanup() for runner in runners))


async def serve_until_signal(
    simulation: Simulation, ports: Ports, positions: dict[str, int], announce: Callable[[list[Address]], None]
) -> None:
    """Serve until SIGINT or SIGTERM; call `announce` with the addresses once all of them listen."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, ended.set)
    async with listening(simulation, ports, positions) as addresses:
        announce(addresses)
        await ended.wait()


@contextmanager
def served_in_thread(simulation: Simulation, *, single_port: bool = False) -> Iterator[dict[str, str]]:
    """Serve on free ports of the loopback while the context lasts, for tests; yield the URLs by customer code."""
    urls: dict[str, str] = {}
    started, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        try:
            async with listening(simulation, Ports(first=0, single=single_port)) as addresses:
                urls.update({address.customer.code: address.url for address in addresses})
                started.set()
                await asyncio.to_thread(ended.wait)
        finally:
            started.set()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="simulator", daemon=True)
    thread.start()
    try:
        if not started.wait(_START_SECONDS) or not urls:
            raise RuntimeError("the simulator did not start")
        yield urls
    finally:
        ended.set()
        thread.join()


async def _serve(runners: list[web.AppRunner], application: web.Application, host: str, port: int) -> str:
    """Start one listener and return its base URL."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    runners.append(runner)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound = runner.addresses[0][1]
    name = "localhost" if host in ("127.0.0.1", "localhost", "0.0.0.0", "::") else host  # noqa: S104 - only compared
    return f"http://{name}:{bound}"
