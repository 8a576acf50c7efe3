"""What the steps of a setup do: keep a response for the preview, register its units, choose limits, begin polling."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from contextlib import suppress
from typing import IO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from alarms.models import LimitProfile, UnitLimits
from alarms.models.limit_locks import lock_limits_of_units
from audit.context import stating_reason
from customers.models import StorageUnit
from ingestion.loading.registration import Register, other_customer_test
from ingestion.loading.resolving import resolve
from ingestion.models import IngestionType, Source, SourceSetup
from ingestion.parsing.parse import parse_body
from ingestion.parsing.results import UnreadableBody
from ingestion.polling import claims
from ingestion.polling.fetch import FetchedBody
from ingestion.polling.trial import TrialResult, try_source
from ingestion.previews.preview import PreviewRequest, preview
from ingestion.previews.results import Preview
from ingestion.sources.credentials import mask_secret

# More is not needed to see how the data is understood, and would make each step slow.
MAX_SAMPLE_BYTES = 16 * 1024**2
# What a test says of a setup.
_TESTED = ("sample", "sample_content_type", "sample_received_at", "test_reason", "test_message")


def test_source(setup: SourceSetup, source: Source) -> TrialResult:
    """Send the source's request, and keep the response for the next steps and later visits."""
    kept: list[bytes] = []

    def keep(fetched: FetchedBody) -> None:
        kept.append(_without_secrets(fetched.body.read(MAX_SAMPLE_BYTES), source))
        fetched.body.seek(0)
        setup.sample_content_type = fetched.content_type[:200]
        setup.sample_received_at = fetched.received_at

    result = try_source(source, keep=keep)
    if kept:
        setup.sample, setup.test_reason, setup.test_message = gzip.compress(kept[0]), "", ""
        is_json = result.preview.head.is_json
        source.ingestion_type = IngestionType.API if is_json else IngestionType.CSV
    else:
        setup.sample = b""
        setup.test_reason, setup.test_message = result.preview.error_reason, result.preview.error_message
    with transaction.atomic():
        # Both may have been discarded during the request.
        if SourceSetup.objects.select_for_update(no_key=True).filter(pk=setup.pk).first() is not None:
            if kept:
                source.save(update_fields=["ingestion_type", "updated_at"])
            setup.save(update_fields=_TESTED)
    return result


def _without_secrets(body: bytes, source: Source) -> bytes:
    """Return a response without the source's own credentials, which some systems repeat; all else as it was sent."""
    text = body.decode("utf-8", "surrogateescape")
    return mask_secret(text, source.credentials).encode("utf-8", "surrogateescape")


def sample_of(setup: SourceSetup) -> IO[bytes] | None:
    """Return the response to the last test, None if there is none."""
    return io.BytesIO(gzip.decompress(bytes(setup.sample))) if setup.sample else None


def preview_sample(setup: SourceSetup, source: Source) -> Preview:
    """Return how the kept response is understood with the source's mapping. Raise SettingError."""
    body = sample_of(setup)
    if body is None:
        reason = setup.test_reason or "source_settings"
        return Preview(error_reason=reason, error_message=setup.test_message or "Test the source first.")
    return preview(body, _request(setup, source))


def _request(setup: SourceSetup, source: Source) -> PreviewRequest:
    return PreviewRequest(
        customer=setup.customer,
        source=source,
        mapping=source.mapping,
        content_type=setup.sample_content_type,
        received_at=setup.sample_received_at or timezone.now(),
        default_unit_code=next(iter(source.unit_codes), "") or source.default_unit_code,
        is_poll=True,
    )


def finish(setup: SourceSetup, source: Source, profiles: Mapping[str, LimitProfile]) -> int:
    """Register the units of the kept response with their limit profiles, and begin polling; return their number.

    `profiles` are by unit code; a unit without one has its customer's.
    """
    with transaction.atomic():
        units = StorageUnit.objects.filter(pk__in=_register_units(setup, source))
        lock_limits_of_units(unit.pk for unit in units if unit.unit_code in profiles)
        with stating_reason("Chosen in the setup of the source."):
            for unit in units.select_related("facility").order_by("pk"):
                if profile := profiles.get(unit.unit_code):
                    choice = UnitLimits.objects.filter(storage_unit=unit).first() or UnitLimits(storage_unit=unit)
                    choice.profile = profile
                    choice.save()
            claims.resume(Source.objects.filter(pk=source.pk))
        setup.delete()
    return len(units)


def _register_units(setup: SourceSetup, source: Source) -> set[int]:
    """Register the facilities, units and sensors of the kept response; return the ids of its units.

    Not their codes, which units of the customer's other facilities may have as well.
    """
    body = sample_of(setup)
    if body is None or not source.registers_units:
        return set()
    request = _request(setup, source)
    register = Register(setup.customer, source)
    unit_ids: set[int] = set()
    batches = parse_body(
        body,
        request.mapping,
        content_type=request.content_type,
        received_at=request.received_at,
        default_unit=request.default_unit_code,
        max_bytes=settings.SOURCE_MAX_BYTES,
        is_other_customer=other_customer_test(setup.customer),
    )
    with suppress(UnreadableBody):  # what was registered so far stays; polls report the reason
        for batch in batches:
            readings, _ = resolve(register, batch)
            unit_ids |= set(readings["storage_unit_id"].unique().to_list())
    return unit_ids
