"""Sending bodies over HTTP, and failing as a transport decision says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from aiohttp import web

from simulator.model.series import MAX_ROWS
from simulator.model.transport import Decision
from simulator.payloads.bodies import Body, Chunk

_SLOW_SLICES = 20
_LOOK_AROUND_SECONDS = 0.5
# The declared length of a cut-off body exceeds what is sent by this much.
_MISSING_BYTES = 1_000

_HTML_PAGE = """<!DOCTYPE html>
<html><head><title>Maintenance</title></head>
<body><h1>We will be back soon</h1><p>The system is being maintained.</p></body></html>
"""

CountGarbage = Callable[[int], None]


async def send(
    request: web.Request, body: Body, decision: Decision, closing: asyncio.Event, count_garbage: CountGarbage
) -> web.StreamResponse:
    """Respond with the body, damaged as decided. `closing` ends waits early; garbage rows are counted once sent."""
    if decision.outcome == "slow_body":
        return await _send_slowly(request, body, decision, closing, count_garbage)
    chunks = _chunks(body, decision)
    if body.row_count > MAX_ROWS:
        return await _send_streamed(request, body, decision, chunks, count_garbage)
    data = b"".join([_counted(chunk, count_garbage) async for chunk in chunks])
    if decision.outcome != "cut_off":
        return web.Response(body=data, headers=_headers(body))
    response = web.StreamResponse(headers=_headers(body))
    response.content_length = len(data) + _MISSING_BYTES
    await response.prepare(request)
    await response.write(data)
    return _hung_up(request, response)


async def faulty_response(
    request: web.Request, decision: Decision, closing: asyncio.Event
) -> web.StreamResponse | None:
    """Return the response to send instead of data if so decided, None if data is to be sent."""
    if decision.outcome == "error_500":
        return web.json_response({"detail": "internal server error"}, status=500)
    if decision.outcome == "unavailable_503":
        retry_after = {"Retry-After": str(decision.retry_after_seconds())}
        return web.json_response({"detail": "temporarily unavailable"}, status=503, headers=retry_after)
    if decision.outcome == "html":
        return web.Response(text=_HTML_PAGE, content_type="text/html")
    if decision.outcome == "hang":
        await _wait(request, closing, decision.settings.hang_seconds)
        return _hung_up(request, web.Response(status=504))
    return None


async def nothing_to_download(request: web.Request) -> web.StreamResponse:
    """Return 204 with a text after it, as some real systems do, and close the connection, as HTTP allows no text."""
    response = web.StreamResponse(status=204, headers={"Content-Type": "text/plain; charset=utf-8"})
    response.force_close()
    await response.prepare(request)
    await response.write(b"No data available")
    return response


async def _send_slowly(
    request: web.Request, body: Body, decision: Decision, closing: asyncio.Event, count_garbage: CountGarbage
) -> web.StreamResponse:
    data = b"".join([_counted(chunk, count_garbage) async for chunk in _chunks(body, decision)])
    response = web.StreamResponse(headers=_headers(body))
    response.content_length = len(data)
    await response.prepare(request)
    step = max(1, -(-len(data) // _SLOW_SLICES))
    for begin in range(0, len(data), step):
        if await _wait(request, closing, decision.settings.slow_seconds / _SLOW_SLICES):
            return _hung_up(request, response)
        await response.write(data[begin : begin + step])
    return response


async def _send_streamed(
    request: web.Request, body: Body, decision: Decision, chunks: AsyncIterator[Chunk], count_garbage: CountGarbage
) -> web.StreamResponse:
    """Send a body that is too long for memory: chunked, generated while it is sent."""
    response = web.StreamResponse(headers=_headers(body))
    response.enable_chunked_encoding()
    await response.prepare(request)
    async for chunk in chunks:
        await response.write(_counted(chunk, count_garbage))
    return _hung_up(request, response) if decision.outcome == "cut_off" else response


async def _chunks(body: Body, decision: Decision) -> AsyncIterator[Chunk]:
    """Yield the body's chunks, each computed in a thread so that other customers are not delayed."""
    chunks: Iterator[Chunk] = body.chunks(decision)
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


def _counted(chunk: Chunk, count_garbage: CountGarbage) -> bytes:
    count_garbage(chunk.garbage_rows)
    return chunk.data


def _headers(body: Body) -> dict[str, str]:
    charset = body.encoding.removesuffix("-sig")
    headers = {"Content-Type": f"{body.content_type}; charset={charset}", **body.headers}
    if body.gzip:
        headers["Content-Encoding"] = "gzip"
    return headers


def _hung_up(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Close the connection once the written data is sent, without sending the rest."""
    if request.transport is not None:
        request.transport.close()
    return response


async def _wait(request: web.Request, closing: asyncio.Event, seconds: float) -> bool:
    """Wait; return True early if the server closes or the client has disconnected."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while (left := ends - loop.time()) > 0:
        try:
            await asyncio.wait_for(closing.wait(), min(left, _LOOK_AROUND_SECONDS))
        except TimeoutError:
            if request.transport is None or request.transport.is_closing():
                return True
        else:
            return True
    return False
