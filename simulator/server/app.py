"""The endpoints of customers' systems, and the control endpoints for tests: ledgers and faults."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from simulator.base.instants import HOUR, moment_of, naive_text
from simulator.model.faults import FaultError, fault_from
from simulator.model.series import UnitSeries
from simulator.model.simulation import SimulatedCustomer, Simulation
from simulator.model.transport import TransportError, TransportSettings
from simulator.payloads.bodies import Body
from simulator.payloads.envelopes import (
    csv_body,
    current_body,
    current_page,
    facilities_body,
    history_body,
    unit_body,
)
from simulator.server.push_check import PushError, count_acceptable
from simulator.server.query import QueryError, instant_in, limit_of, page_of, refuse_too_early, window_of
from simulator.server.respond import faulty_response, nothing_to_download, send

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CURRENT_HOURS = 0.25
DOWNLOAD_HOURS = 24.0
HISTORY_HOURS = 24.0
LEDGER_HOURS = 24.0
LARGEST_POST_BYTES = 16 * 1024 * 1024

_PREFIX = "/c/{customer}"

_CLIENT_MISTAKES = (QueryError, FaultError, TransportError, PushError)

logger = logging.getLogger(__name__)


class UnknownCode(Exception):  # noqa: N818 - a response, not a failure
    """There is no customer or unit with this code."""


def make_application(simulation: Simulation, default_customer: str | None = None) -> web.Application:
    """Serve every customer under `/c/<customer>/...`, and the default one, if any, at the root as well."""
    application = web.Application(middlewares=[_errors_as_json], client_max_size=LARGEST_POST_BYTES)
    endpoints = Endpoints(simulation, default_customer)
    for prefix in (_PREFIX, ""):
        if prefix or default_customer:
            _add_customer_routes(application, endpoints, prefix)
    if default_customer is None:
        application.router.add_get("/", endpoints.fleet)
        application.router.add_get("/health", endpoints.fleet_health)
        application.router.add_get("/ledger", endpoints.fleet_ledger)
        application.router.add_post("/simulate/transport", endpoints.set_fleet_transport)
    application.on_shutdown.append(endpoints.close)
    return application


class Endpoints:
    """The handlers of one application. The customer is in the path, or is that of the application."""

    def __init__(self, simulation: Simulation, default_customer: str | None) -> None:
        self._simulation = simulation
        self._default = default_customer
        self._closing = asyncio.Event()

    async def close(self, _: web.Application) -> None:
        """End hanging and slow responses, so that stopping does not wait for them."""
        self._closing.set()

    async def who(self, request: web.Request) -> web.StreamResponse:
        """Describe the customer and list the paths."""
        paths = {resource.canonical.removeprefix(_PREFIX) or "/" for resource in request.app.router.resources()}
        return web.json_response({**_introduction(self._served(request)), "endpoints": sorted(paths)})

    async def health(self, request: web.Request) -> web.StreamResponse:
        """Report that the customer's system works."""
        served = self._served(request)
        return web.json_response({"status": "ok", "customer": served.customer.code, "now": _now(served)})

    async def current(self, request: web.Request) -> web.StreamResponse:
        """Send the latest readings as JSON."""
        served = self._served(request)
        window = window_of(request.query, served, CURRENT_HOURS)
        if not served.customer.page_rows:
            return await self._deliver(request, served, lambda: current_body(served, window))
        page = page_of(request.query)
        # The period in absolute times, so that all pages are of the same rows.
        period = {"since": naive_text(moment_of(window.start_us)), "until": naive_text(moment_of(window.end_us))}
        next_url = str(request.rel_url.with_query({**period, "page": str(page + 1)}))
        return await self._deliver(request, served, lambda: current_page(served, window, page, next_url))

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Send readings as CSV."""
        served = self._served(request)
        window = window_of(request.query, served, DOWNLOAD_HOURS)
        return await self._deliver(request, served, lambda: csv_body(served, window))

    async def historical(self, request: web.Request) -> web.StreamResponse:
        """Send a range of readings as JSON."""
        served = self._served(request)
        window, limit = window_of(request.query, served, HISTORY_HOURS), limit_of(request.query)
        code = request.query.get("unit_id")
        wanted = [_series(served, code)] if code else served.all_series
        return await self._deliver(request, served, lambda: history_body(served, wanted, window, limit))

    async def unit(self, request: web.Request) -> web.StreamResponse:
        """Send one unit's newest reading."""
        served = self._served(request)
        series = _series(served, request.match_info["unit"])
        return await self._deliver(request, served, lambda: unit_body(served, series))

    async def facilities(self, request: web.Request) -> web.StreamResponse:
        """Send the facilities and units."""
        served = self._served(request)
        return await self._deliver(request, served, lambda: facilities_body(served))

    async def receive_readings(self, request: web.Request) -> web.StreamResponse:
        """Check pushed readings and return the number of acceptable ones."""
        served = self._served(request)
        codes = {series.unit.code for series in served.all_series}
        return web.json_response(count_acceptable(await _json(request), codes))

    async def schedule_fault(self, request: web.Request) -> web.StreamResponse:
        """Schedule an equipment fault."""
        served = self._served(request)
        series = _series(served, request.match_info["unit"])
        fault = fault_from(series.unit.code, await _json_object(request), served.clock.now())
        created = served.schedule(fault)
        logger.info("%s of %s scheduled", fault.kind, fault.unit)
        return web.json_response({"created": created, "fault": fault.document()}, status=201 if created else 200)

    async def faults(self, request: web.Request) -> web.StreamResponse:
        """List the scheduled faults."""
        served = self._served(request)
        return web.json_response({"faults": [fault.document() for fault in served.faults]})

    async def transport(self, request: web.Request) -> web.StreamResponse:
        """Show the transport faults of the customer."""
        return web.json_response(_transport_document([self._served(request)]))

    async def set_transport(self, request: web.Request) -> web.StreamResponse:
        """Change the transport faults of the customer, or of all."""
        everyone = request.query.get("customers") == "all"
        targets = list(self._simulation.customers.values()) if everyone else [self._served(request)]
        return await _set_transport(request, targets)

    async def ledger(self, request: web.Request) -> web.StreamResponse:
        """Send the customer's ledger."""
        served = self._served(request)
        start_us, end_us = _ledger_span(request, served.now_us)
        return web.json_response(await asyncio.to_thread(served.ledger, start_us, end_us))

    async def fleet(self, _: web.Request) -> web.StreamResponse:
        """List the customers."""
        served = self._simulation.customers.values()
        return web.json_response({"customers": [{**_introduction(each), "path": _path(each)} for each in served]})

    async def fleet_health(self, _: web.Request) -> web.StreamResponse:
        """Report that the simulator works."""
        now = self._simulation.clock.now().isoformat()
        return web.json_response({"status": "ok", "customers": len(self._simulation.customers), "now": now})

    async def fleet_ledger(self, request: web.Request) -> web.StreamResponse:
        """Send the ledger of every customer."""
        ledgers = {}
        for code, served in self._simulation.customers.items():
            start_us, end_us = _ledger_span(request, served.now_us)
            ledgers[code] = await asyncio.to_thread(served.ledger, start_us, end_us)
        return web.json_response({"customers": ledgers})

    async def set_fleet_transport(self, request: web.Request) -> web.StreamResponse:
        """Change the transport faults of every customer."""
        return await _set_transport(request, list(self._simulation.customers.values()))

    async def _deliver(
        self, request: web.Request, served: SimulatedCustomer, make_body: Callable[[], Body | None]
    ) -> web.StreamResponse:
        """Respond with data, or fail as the customer's transport settings decide."""
        decision = served.next_decision()
        failure = await faulty_response(request, decision, self._closing)
        if failure is not None:
            return failure
        body = await asyncio.to_thread(make_body)
        if body is None and request.path.endswith(".csv"):
            return await nothing_to_download(request)
        if body is None:
            return _problem(503, "no reading: the unit has no power")

        def count_garbage(rows: int) -> None:
            served.garbage_rows_served += rows

        return await send(request, body, decision, self._closing, count_garbage)

    def _served(self, request: web.Request) -> SimulatedCustomer:
        code = request.match_info.get("customer", self._default)
        served = self._simulation.customers.get(code or "")
        if served is None:
            raise UnknownCode(f"no customer {code!r}")
        return served


def _add_customer_routes(application: web.Application, endpoints: Endpoints, prefix: str) -> None:
    gets: list[tuple[str, Handler]] = [
        ("/", endpoints.who),
        ("/health", endpoints.health),
        ("/temperature/current", endpoints.current),
        ("/data/download.csv", endpoints.download),
        ("/temperature/unit/{unit}", endpoints.unit),
        ("/temperature/historical", endpoints.historical),
        ("/facilities", endpoints.facilities),
        ("/simulate/transport", endpoints.transport),
        ("/faults", endpoints.faults),
        ("/ledger", endpoints.ledger),
    ]
    for path, handler in gets:
        application.router.add_get(prefix + path, handler, allow_head=False)
    if prefix:
        application.router.add_get(prefix, endpoints.who, allow_head=False)
    application.router.add_post(prefix + "/temperature/readings", endpoints.receive_readings)
    application.router.add_post(prefix + "/simulate/fault/{unit}", endpoints.schedule_fault)
    application.router.add_post(prefix + "/simulate/transport", endpoints.set_transport)


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _problem(error.status, error.reason)
    except UnknownCode as error:
        return _problem(404, str(error))
    except _CLIENT_MISTAKES as error:
        return _problem(400, str(error))
    except OverflowError:
        return _problem(400, "a number or an instant is out of range")


def _problem(status: int, detail: str) -> web.Response:
    return web.json_response({"detail": detail}, status=status)


def _series(served: SimulatedCustomer, code_or_name: str) -> UnitSeries:
    series = served.series(code_or_name)
    if series is None:
        raise UnknownCode(f"customer {served.customer.code!r} has no unit {code_or_name!r}")
    return series


def _ledger_span(request: web.Request, now_us: int) -> tuple[int, int | None]:
    end_us = instant_in(request.query, "end")
    start_us = instant_in(request.query, "start")
    if start_us is None:
        start_us = (now_us if end_us is None else end_us) - round(LEDGER_HOURS * HOUR)
    if end_us is not None and end_us < start_us:
        raise QueryError("end is before start")
    refuse_too_early(start_us, now_us, "start")
    return start_us, end_us


async def _json(request: web.Request) -> Any:
    try:
        return await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError, LookupError, RecursionError) as error:
        raise QueryError("the body is not JSON") from error


async def _json_object(request: web.Request) -> dict[str, object]:
    document = await _json(request)
    if not isinstance(document, dict):
        raise QueryError("expected a JSON object")
    return document


async def _set_transport(request: web.Request, targets: list[SimulatedCustomer]) -> web.Response:
    """Replace the settings in force; an empty object ends all transport faults."""
    settings = TransportSettings.from_mapping(await _json_object(request))
    for served in targets:
        served.transport = settings
    return web.json_response(_transport_document(targets))


def _transport_document(targets: list[SimulatedCustomer]) -> dict[str, object]:
    return {"customers": {served.customer.code: served.transport.in_force() for served in targets}}


def _introduction(served: SimulatedCustomer) -> dict[str, object]:
    customer = served.customer
    return {
        "customer": customer.code,
        "customer_name": customer.name,
        "template": customer.template,
        "data_sharing_method": customer.data_sharing_method,
        "poll_seconds": customer.poll_seconds,
        "facility_count": len(customer.facilities),
        "unit_count": customer.unit_count,
        "now": _now(served),
    }


def _path(served: SimulatedCustomer) -> str:
    return f"/c/{served.customer.code}"


def _now(served: SimulatedCustomer) -> str:
    return served.clock.now().isoformat()
