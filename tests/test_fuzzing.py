"""Whatever a client sends: no fault of ours, and no answer that the document of the API does not have.

`make test` tries some cases of each operation with each kind of token, `make fuzz` thousands (FUZZ_EXAMPLES of each
operation and kind, FUZZ_SEQUENCES sequences of requests that build on each other's answers).
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
# What is held: no 5xx, and no status, type, header or body that the document does not have.
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
document = schemathesis.openapi.from_path(settings.BASE_DIR / "docs" / "openapi.json")
# Also every border of every parameter, which is some seventy cases an operation.
document.config.phases.coverage.enabled = IS_LONG
# `make test` tries the same cases every time, so that it fails for a change and not by chance.
tried = hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not IS_LONG,
    database=None,
    suppress_health_check=list(HealthCheck),
)
sequences = hypothesis_settings(
    tried, max_examples=SEQUENCES_A_ROUND, stateful_step_count=STEPS, derandomize=False, phases=[Phase.generate]
)
answers: Counter[int] = Counter()
REVIVE = "UPDATE customer SET is_active = true; UPDATE api_token SET revoked_at = NULL"


@schemathesis.serializer("application/x-ndjson")
def as_lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A text as it is, anything else as a line of JSON."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Fuzzed:
    """The running API, and the ids that stand for those of a path; a customer whose end harms no token."""

    api: LiveApi
    ids: dict[str, str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with live_api(tmp_path_factory.mktemp("fuzzing")) as api:
        (facility,) = api.ask("GET", "/facilities", TOKENS["read"])["items"]
        unit = api.ask("GET", f"/facilities/{facility['id']}/units", TOKENS["read"])["items"][0]
        customer = api.ask("GET", "/admin/customers", TOKENS["admin"])["items"][-1]
        ids = {"facilities": facility["id"], "facility": facility["id"], "unit": unit["id"], "units": unit["id"]}
        yield Fuzzed(api, ids | {"customers": customer["id"]})
    print(f"\nFuzzed with {answers.total():,} requests; answered: {dict(sorted(answers.items()))}")  # noqa: T201  `make fuzz` shows it


@pytest.fixture
def fuzzed(running: Fuzzed) -> Iterator[Fuzzed]:
    """Tokens that a case revoked, and customers that it made inactive, are back for the next."""
    yield running
    running.api.system.database.rows(REVIVE)


def place(case: schemathesis.Case, ids: dict[str, str]) -> None:
    """Let three of four ids that could be one be one: an id made by chance only ever is not found."""
    parts = case.path.split("/")
    for before, part in pairwise(parts):
        name = part.strip("{}")
        made_up = case.path_parameters.get(name) if part.startswith("{") else None
        if before in ids and is_uuid(made_up) and int(UUID(made_up)) % 4:
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
@tried
def test_every_operation_answers_as_it_is_documented(case: schemathesis.Case, kind: str, fuzzed: Fuzzed):
    place(case, fuzzed.ids)
    answer = case.call_and_validate(
        base_url=fuzzed.api.root, headers=bearer(kind), checks=CHECKS, timeout=SECONDS_A_REQUEST
    )
    answers[answer.status_code] += 1


@pytest.mark.parametrize("kind", TOKENS)
def test_requests_that_build_on_each_other_are_answered_as_documented(kind: str, fuzzed: Fuzzed):
    wrong: list[FailureGroup] = []

    class Client(document.as_state_machine()):  # type: ignore[misc]
        """Takes ids from answers for the next requests."""

        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"base_url": fuzzed.api.root, "headers": bearer(kind), "timeout": SECONDS_A_REQUEST}

        def validate_response(self, response: Any, case: schemathesis.Case, **options: Any) -> None:
            answers[response.status_code] += 1
            try:
                case.validate_response(response, checks=CHECKS)
            except FailureGroup as failure:
                wrong.append(failure)

    for number in range(0, SEQUENCES, SEQUENCES_A_ROUND):
        # What was made by one sequence is there for the next, which no sequence can be repeated with.
        with suppress(Flaky):
            run_state_machine_as_test(seed(number)(Client), settings=sequences)
    assert not wrong
