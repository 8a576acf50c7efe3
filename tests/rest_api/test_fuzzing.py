"""Fuzzing of the REST API: no server errors, and no responses that the OpenAPI document does not describe.

`make test` runs a few cases of each operation with each kind of token, `make fuzz` thousands (FUZZ_EXAMPLES of each
operation and kind, FUZZ_SEQUENCES sequences of requests that use earlier responses).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from django.conf import settings
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.live_api import TOKENS, LiveApi, live_api

pytestmark = pytest.mark.xdist_group("fuzzing")

IS_LONG = "FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
SEQUENCES = int(os.environ.get("FUZZ_SEQUENCES", "6"))
SEQUENCES_A_ROUND, STEPS = 3, 10
SECONDS_A_REQUEST = 30
# No 5xx, and no status, content type, header or body that is not documented.
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
document = schemathesis.openapi.from_path(settings.BASE_DIR / "docs" / "openapi.json")
# Boundary values of every parameter: some seventy cases an operation.
document.config.phases.coverage.enabled = IS_LONG
# `make test` runs the same cases every time, so that it fails only because of a change.
sampled = hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not IS_LONG,
    database=None,
    suppress_health_check=list(HealthCheck),
)
sequences = hypothesis_settings(
    sampled, max_examples=SEQUENCES_A_ROUND, stateful_step_count=STEPS, derandomize=False, phases=[Phase.generate]
)
responses: Counter[int] = Counter()
REVIVE = "UPDATE customer SET is_active = true; UPDATE api_token SET revoked_at = NULL"


@schemathesis.serializer("application/x-ndjson")
def as_lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Serialize text unchanged, and anything else as a line of JSON."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Fuzzed:
    """The running API, and ids of existing objects for the parameters of paths."""

    api: LiveApi
    ids: dict[str, str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with live_api(tmp_path_factory.mktemp("fuzzing"), has_static_files=True) as api:
        (facility,) = api.request("GET", "/facilities", TOKENS["read"])["items"]
        unit = api.request("GET", f"/facilities/{facility['id']}/units", TOKENS["read"])["items"][0]
        customer = api.request("GET", "/admin/customers", TOKENS["admin"])["items"][-1]
        ids = {"facilities": facility["id"], "facility": facility["id"], "unit": unit["id"], "units": unit["id"]}
        yield Fuzzed(api, ids | {"customers": customer["id"]})
    print(f"\nFuzzed with {responses.total():,} requests; responses: {dict(sorted(responses.items()))}")  # noqa: T201  `make fuzz` shows it


@pytest.fixture
def fuzzed(running: Fuzzed) -> Iterator[Fuzzed]:
    """Restore tokens that a case revoked and customers that it deactivated."""
    yield running
    running.api.system.database.rows(REVIVE)


def use_existing_ids(case: schemathesis.Case[Any], ids: dict[str, str]) -> None:
    """Replace three of four generated ids by existing ones: random ids are never found."""
    parts = case.path.split("/")
    for before, part in pairwise(parts):
        name = part.strip("{}")
        generated = case.path_parameters.get(name) if part.startswith("{") else None
        if before in ids and is_uuid(generated) and int(UUID(generated)) % 4:
            case.path_parameters[name] = ids[before]
    if isinstance(case.body, dict) and is_uuid(case.body.get("storage_unit_id")):
        case.body["storage_unit_id"] = ids["units"]


def is_uuid(text: object) -> bool:
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True


def bearer(kind: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[kind]}"}


@pytest.mark.parametrize("kind", TOKENS)
@document.parametrize()
@sampled
def test_every_operation_responds_as_documented(case: schemathesis.Case[Any], kind: str, fuzzed: Fuzzed) -> None:
    use_existing_ids(case, fuzzed.ids)
    response = case.call_and_validate(
        base_url=fuzzed.api.root, headers=bearer(kind), checks=CHECKS, timeout=SECONDS_A_REQUEST
    )
    responses[response.status_code] += 1


@pytest.mark.parametrize("kind", TOKENS)
def test_sequences_of_requests_are_answered_as_documented(kind: str, fuzzed: Fuzzed) -> None:
    failures: list[FailureGroup] = []

    class Client(document.as_state_machine()):  # type: ignore[misc]  # the base class is made at run time
        """Use ids of responses in later requests."""

        def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
            return {"base_url": fuzzed.api.root, "headers": bearer(kind), "timeout": SECONDS_A_REQUEST}

        def validate_response(self, response: Any, case: schemathesis.Case[Any], **options: Any) -> None:
            responses[response.status_code] += 1
            try:
                case.validate_response(response, checks=CHECKS)
            except FailureGroup as failure:
                failures.append(failure)

    for number in range(0, SEQUENCES, SEQUENCES_A_ROUND):
        # Objects created by one sequence exist in the next, so no sequence is reproducible.
        with suppress(Flaky):
            run_state_machine_as_test(seed(number)(Client), settings=sequences)
    assert not failures
