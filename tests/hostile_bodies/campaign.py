"""Push and poll every hostile body in one process, and report what each took."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from ingestion.models import Source
from tests.factories import CustomerFactory, FacilityFactory, StorageUnitFactory, make_token
from tests.hostile_bodies.archives import archives
from tests.hostile_bodies.bodies import (
    DOCUMENTS,
    HEADER,
    SHAPES,
    STRUCTURES,
    TABLES,
    HostileBody,
    containers,
    gzipped,
    in_words_of_a_push,
)
from tests.hostile_bodies.measuring import (
    MeasuredProcess,
    Report,
    Respond,
    Responses,
    endless_chunks,
    endless_failure,
    endless_pages,
    gzip_response,
    measured_process,
    plain_response,
    serving,
)

_NORMAL = HEADER + b"A,f,u,-70.5,2026-11-23T10:11:11,s,Oxford\n" * 1_000
_PAGED_ROW = b'{"facility_id":"f","unit_id":"u","temperature":-70,"timestamp":"2026-11-23T10:11:11"}'
_TIME_ZONE = "Europe/London"

# Responses and bodies of pushes are made when they are sent: all of them together would take gigabytes.
_MakeResponse: TypeAlias = Callable[[], Respond]
_MakeBody: TypeAlias = Callable[[], bytes]


@dataclass(frozen=True)
class Campaign:
    """What is measured: bodies of these sizes, on a database that other processes can see."""

    database_url: str
    folder: Path
    poll_bytes: int
    push_bytes: int

    def run(self, pattern: str = "", **environment: str) -> Iterator[Report]:
        """Yield a report for each body and way of sending it; only of those in whose names `pattern` is found."""
        served: Responses = {}
        with (
            measured_process(self.database_url, self.folder, **environment) as process,
            serving(served) as url,
        ):
            yield from self._poll_reports(process, url, served, pattern)
        # Pushes reach web processes, polls the workers.
        with measured_process(self.database_url, self.folder, **environment) as process:
            yield from self._push_reports(process, pattern)

    def _polls(self) -> dict[str, _MakeResponse]:
        """Return how to make the response of each path."""
        bodies = {f"/{index}/{body.name}": body for index, body in enumerate([*TABLES, *DOCUMENTS, *SHAPES])}
        structures = {f"/structure/{body.name}": body for body in STRUCTURES}
        polls: dict[str, _MakeResponse] = {
            path: partial(self._compressed, body) for path, body in (bodies | structures).items()
        }
        polls |= {
            f"/container/{name}": partial(gzip_response, data, "text/csv")
            for name, data in containers(self.poll_bytes).items()
        }
        polls |= {f"/archive/{name}": partial(_archived, make) for name, make in archives(self.poll_bytes).items()}
        polls |= {
            "/pages_of_rows": partial(endless_pages, b'"readings":', _PAGED_ROW, self.poll_bytes // 100),
            "/pages_of_numbers": partial(endless_pages, b'"readings":[],"a":', b"1", self.poll_bytes // 100),
            "/endless_chunks": lambda: endless_chunks,
            "/endless_failure": lambda: endless_failure,
        }
        return {path.replace(" ", "_"): make for path, make in polls.items()}

    def _compressed(self, body: HostileBody) -> Respond:
        return gzip_response(body.compressed(self.poll_bytes), body.content_type)

    def _poll_reports(self, process: MeasuredProcess, url: str, served: Responses, pattern: str) -> Iterator[Report]:
        served["/normal"] = gzip_response(gzipped([_NORMAL]), "text/csv")
        self._poll(process, f"{url}/normal", is_warm_up=True)
        for path, make in self._polls().items():
            if not re.search(pattern, f"poll of {path}"):
                continue
            served[path] = make()
            if path.startswith("/structure"):
                yield self._poll(process, f"{url}/normal", structure_url=f"{url}{path}")
            else:
                yield self._poll(process, f"{url}{path}")
            del served[path]

    def _poll(self, process: MeasuredProcess, url: str, *, structure_url: str = "", is_warm_up: bool = False) -> Report:
        source = Source.objects.create(
            customer=CustomerFactory(), name="hostile", url=url, structure_url=structure_url, time_zone=_TIME_ZONE
        )
        _, _, path = (structure_url or url).removeprefix("http://").partition("/")
        return process.run(f"poll of /{path}", source=source.pk, is_warm_up=is_warm_up)

    def _push_reports(self, process: MeasuredProcess, pattern: str) -> Iterator[Report]:
        unit = StorageUnitFactory(facility=FacilityFactory(customer=CustomerFactory()))
        _, token = make_token(customer=unit.facility.customer, permissions=["write"])
        normal = in_words_of_a_push(HEADER) + _NORMAL[len(HEADER) :].replace(b",u,", f",{unit.public_id},".encode())
        self._push(process, token, "normal", "text/csv", gzipped([normal]), is_warm_up=True)
        bodies: list[tuple[str, str, _MakeBody]] = [
            (body.name, body.content_type, partial(body.compressed_for_push, self.push_bytes)) for body in _pushed()
        ]
        bodies += [(name, "text/csv", partial(bytes, data)) for name, data in containers(self.push_bytes).items()]
        for name, content_type, make in bodies:
            if re.search(pattern, f"push of {name}"):
                yield self._push(process, token, name, content_type, make())

    def _push(
        self,
        process: MeasuredProcess,
        token: str,
        name: str,
        content_type: str,
        data: bytes,
        *,
        is_warm_up: bool = False,
    ) -> Report:
        path = self.folder / "body"
        path.write_bytes(data)
        return process.run(
            f"push of {name}", path=str(path), content_type=content_type, token=token, is_warm_up=is_warm_up
        )


def _archived(make: _MakeBody) -> Respond:
    return plain_response(make(), "application/octet-stream")


def _pushed() -> list[HostileBody]:
    return [body for body in [*TABLES, *DOCUMENTS] if body.is_pushable]
