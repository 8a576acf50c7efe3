"""Let the profile of a customer, as the API's clients know it, configure the source that is polled for it.

A profile has an address, a method and a frequency. They configure one source: its URL, its type and its interval.
Everything else about sources, and further ones, is configured at the sources themselves.
"""

from __future__ import annotations

from copy import copy
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils import timezone

from core.crypto.redaction import has_redacted_part, redact_url
from core.http.servers import InvalidAddress, server_of
from customers.models import Customer
from ingestion.models import IngestionType, Source
from ingestion.models.source import MAX_INTERVAL_SECONDS
from ingestion.models.source_secrets import check_secrets_stay
from ingestion.sources.file_places import FILE_TYPES

SOURCE_NAME = "customer's system"
# Where the systems met in the field serve their data, for a profile that only names their address.
PATHS = {
    IngestionType.API: "/temperature/current?hours={hours}",
    IngestionType.CSV: "/data/download.csv?hours={hours}",
}


def configure_source(customer: Customer, former: Customer | None = None) -> Source | None:
    """Apply a new or changed profile to the customer's source; return it, or None if there is nothing to poll.

    Creates the source if the profile has an address and none is polled. `former` is the profile before the change: what
    it did not change is left as it was set at the source. Raise ValidationError if it is unclear which of several
    sources is meant, or if stored secrets of the source would be sent to another server.
    """
    source = _polled_source(customer, former)
    if source is None:
        return _create(customer) if customer.api_url and _is_polled(customer) else None
    if former is None or _address(former) != _address(customer):
        before = copy(source)
        _move(source, customer, former)
        _refuse_secrets_elsewhere(source, before)
    if former is None or former.data_frequency_seconds != customer.data_frequency_seconds:
        source.interval_seconds = _interval(customer)
        source.next_due_at = timezone.now()
    _validate(source)
    source.save(
        update_fields=[
            "url", "structure_url", "ingestion_type", "interval_seconds", "is_paused", "next_due_at", "updated_at",
        ]
    )  # fmt: skip
    return source


def _validate(source: Source) -> None:
    """Raise ValidationError by field of the profile."""
    try:
        source.full_clean(exclude=["public_id"])
    except ValidationError as error:
        by_attribute = error.message_dict
        of_address = [message for name in ("url", "structure_url") for message in by_attribute.pop(name, [])]
        if of_address:
            raise ValidationError({"api_url": of_address}) from error
        others = [f"{name}: {' '.join(messages)}" for name, messages in by_attribute.items()]
        raise ValidationError({"api_url": f"The source of this system is invalid. {' '.join(others)}"}) from error


def _address(customer: Customer) -> tuple[str, str]:
    """Return the address with its method, which means nothing without one."""
    return customer.request_api_url, customer.data_sharing_method if customer.api_url else ""


def _is_polled(customer: Customer) -> bool:
    return customer.data_sharing_method in PATHS


def _interval(customer: Customer) -> int:
    return min(customer.data_frequency_seconds, MAX_INTERVAL_SECONDS)


def _polled_source(customer: Customer, former: Customer | None) -> Source | None:
    """Return the source that the profile is about: the only polled one, or the one at the profile's address.

    Files are read beside the system at the address: their sources are none of it.
    """
    polled = list(customer.sources.exclude(url="").exclude(ingestion_type__in=FILE_TYPES).select_for_update())
    if len(polled) > 1:
        address = former.request_api_url if former and former.api_url else customer.request_api_url
        polled = [source for source in polled if address and source.request_url.startswith(address)]
        if len(polled) != 1:
            if former and (_address(former), former.data_frequency_seconds) == (
                _address(customer),
                customer.data_frequency_seconds,
            ):
                return None
            raise ValidationError(
                {"api_url": "The customer has several sources. Change the address and interval of each of them."}
            )
    return polled[0] if polled else None


def _create(customer: Customer) -> Source:
    taken = set(customer.sources.values_list("name", flat=True))
    name = next(each for each in (SOURCE_NAME, *(f"{SOURCE_NAME} {n}" for n in range(2, 1000))) if each not in taken)
    source = Source(customer=customer, name=name, interval_seconds=_interval(customer))
    _move(source, customer, None)
    _validate(source)
    source.save()
    return source


def _move(source: Source, customer: Customer, former: Customer | None) -> None:
    """Point the source at the profile's address, or pause it if there is none."""
    if not customer.api_url or not _is_polled(customer):
        source.is_paused = True
        return
    method = IngestionType(customer.data_sharing_method)
    address = customer.request_api_url
    base, former_base = address.rstrip("/"), former.request_api_url.rstrip("/") if former else ""
    if former_base and source.ingestion_type == method and source.request_url.startswith(f"{former_base}/"):
        # The same system elsewhere: keep the paths that were set at the source.
        source.url = _elsewhere(source.request_url, former_base, base)
        if source.request_structure_url.startswith(f"{former_base}/"):
            source.structure_url = _elsewhere(source.request_structure_url, former_base, base)
    elif source.ingestion_type == method and source.request_url.startswith(f"{base}/"):
        pass  # the source was moved itself
    elif _is_bare(base):
        source.url = base + PATHS[method]
        source.structure_url = ""
    else:
        source.url = address
        source.structure_url = ""
    source.ingestion_type = method
    source.is_paused = False
    source.next_due_at = timezone.now()


def _elsewhere(url: str, former_base: str, base: str) -> str:
    """Return a URL with another base. Raise ValidationError if the rest of it is a secret, and the server another."""
    rest = url.removeprefix(former_base)
    if not _is_same_server(base, former_base) and has_redacted_part(redact_url(f"https://host{rest}")):
        raise _secrets_stay()
    return base + rest


def _is_same_server(first: str, second: str) -> bool:
    try:
        return server_of(first) == server_of(second)
    except InvalidAddress:  # stored before they were refused
        return False


def _refuse_secrets_elsewhere(source: Source, before: Source) -> None:
    try:
        check_secrets_stay(source, before)
    except ValidationError as error:
        raise _secrets_stay() from error


def _secrets_stay() -> ValidationError:
    return ValidationError(
        {
            "api_url": "The source of this system has stored secrets, which are only sent to the server that they were"
            " entered for. Change the URL of the source itself, and enter its secrets again there."
        }
    )


def _is_bare(address: str) -> bool:
    """Return whether an address names a system only, not what to request of it."""
    parts = urlsplit(address)
    return not parts.path and not parts.query
