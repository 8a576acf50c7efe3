"""Push and poll every hostile body in one process, and report what each took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Campaign:
    """What is measured: bodies of these sizes, on a database that other processes can see."""

    database_url: str
    folder: Path
    poll_bytes: int
    push_bytes: int

    def run(self, **environment: str) -> list[Report]:
        """Return a report for each body and way of sending it."""
        polls = self._polls()
        with (
            measured_process(self.database_url, self.folder, **environment) as process,
            serving(polls) as url,
        ):
            return [*self._poll_reports(process, url, polls), *self._push_reports(process)]

    def _polls(self) -> Responses:
        bodies = {f"/{index}/{body.name}": body for index, body in enumerate([*TABLES, *DOCUMENTS, *SHAPES])}
        structures = {f"/structure/{body.name}": body for body in STRUCTURES}
        packed = {path.replace(" ", "_"): body for path, body in (bodies | structures).items()}
        return {
            "/normal": gzip_response(gzipped([_NORMAL]), "text/csv"),
            **{
                path: gzip_response(body.compressed(self.poll_bytes), body.content_type)
                for path, body in packed.items()
            },
            **{
                f"/container/{name}".replace(" ", "_"): gzip_response(data, "text/csv")
                for name, data in containers(self.poll_bytes).items()
            },
            **{
                f"/archive/{name}".replace(" ", "_"): plain_response(data, "application/octet-stream")
                for name, data in archives(self.poll_bytes).items()
            },
            "/pages_of_rows": endless_pages(b'"readings":', _PAGED_ROW, self.poll_bytes // 100),
            "/pages_of_numbers": endless_pages(b'"readings":[],"a":', b"1", self.poll_bytes // 100),
            "/endless_chunks": endless_chunks,
            "/endless_failure": endless_failure,
        }

    def _poll_reports(self, process: MeasuredProcess, url: str, polls: Responses) -> Iterator[Report]:
        for path in polls:
            is_structure = path.startswith("/structure")
            source = Source.objects.create(
                customer=CustomerFactory(),
                name="hostile",
                url=f"{url}/normal" if is_structure else f"{url}{path}",
                structure_url=f"{url}{path}" if is_structure else "",
                time_zone=_TIME_ZONE,
            )
            report = process.run(f"poll of {path}", source=source.pk, is_warm_up=path == "/normal")
            if path != "/normal":
                yield report

    def _push_reports(self, process: MeasuredProcess) -> Iterator[Report]:
        unit = StorageUnitFactory(facility=FacilityFactory(customer=CustomerFactory()))
        _, token = make_token(customer=unit.facility.customer, permissions=["write"])
        bodies = [(body.name, body.content_type, body.compressed_for_push(self.push_bytes)) for body in _pushed()]
        bodies += [(name, "text/csv", data) for name, data in containers(self.push_bytes).items()]
        normal = in_words_of_a_push(HEADER) + _NORMAL[len(HEADER) :].replace(b",u,", f",{unit.public_id},".encode())
        for name, content_type, data in [("normal", "text/csv", gzipped([normal])), *bodies]:
            path = self.folder / "body"
            path.write_bytes(data)
            report = process.run(
                f"push of {name}", path=str(path), content_type=content_type, token=token, is_warm_up=name == "normal"
            )
            if name != "normal":
                yield report


def _pushed() -> list[HostileBody]:
    return [body for body in [*TABLES, *DOCUMENTS] if body.is_pushable]
