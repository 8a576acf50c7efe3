"""Time stamps of an RFC 3161 service on the roots of seals: proof by a third party that they existed at a time.

One stamp covers all seals since the previous one, through the Merkle root over their roots; for each seal a proof of a
few hashes leads to that root, so a customer can check the stamp without seeing the seals of others.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import structlog
from cryptography.x509 import load_pem_x509_certificates
from django.conf import settings
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from core.crypto.merkle import inclusion_proof, merkle_root
from core.http.addresses import parse_networks
from core.http.guarded_http import FetchFailure, FetchLimits, GuardedExchange
from seals.models import DaySeal, TimeStamp
from seals.transactions import sealing_step

logger = structlog.get_logger(__name__)

MOST_BYTES = 65_536
# The operator names the service: it may be inside their own network.
_ANY_ADDRESS = ["0.0.0.0/0", "::/0"]
_HEADERS = {
    "Content-Type": "application/timestamp-query",
    "Accept": "application/timestamp-reply",
    "Accept-Encoding": "identity",
}


class NotStamped(Exception):  # noqa: N818  an expected outcome: the next run tries again
    """The service gave no time stamp, or one that is not valid; the message says why."""


def stamp_seals() -> TimeStamp | None:
    """Have the seals that have no time stamp yet stamped; return None if there are none, or no service is configured.

    Raise NotStamped, or AlreadyRunning. The service is asked outside of any transaction.
    """
    newest = TimeStamp.objects.last()
    after = newest.last_seal_id if newest else 0
    seals = list(DaySeal.objects.filter(id__gt=after).order_by("id").values_list("id", "root"))
    if not settings.TIME_STAMP_URL or not seals:
        return None
    root = merkle_root(bytes(root) for _, root in seals)
    response = request_stamp(root)
    with sealing_step():
        stamp = TimeStamp.objects.create(
            first_seal_id=seals[0][0],
            last_seal_id=seals[-1][0],
            root=root,
            token=response.as_bytes(),
            stamped_at=response.tst_info.gen_time,
            service_url=settings.TIME_STAMP_URL,
        )
    logger.info("seals stamped", seals=len(seals), stamped_at=stamp.stamped_at.isoformat())
    return stamp


def request_stamp(root: bytes) -> TimeStampResponse:
    """Ask the service for a time stamp on a root; return its response, which is valid. Raise NotStamped."""
    request = TimestampRequestBuilder().data(root).hash_algorithm(HashAlgorithm.SHA256).build()
    try:
        response = decode_timestamp_response(_post(request.as_bytes()))
    except ValueError as error:
        raise NotStamped("The service's response is no time stamp.") from error
    if response.status not in (PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS):
        raise NotStamped(f"The service refused: {'; '.join(response.status_string) or response.status}.")
    if response.tst_info.nonce != request.nonce:
        raise NotStamped("The service answered another request.")
    if problem := stamp_problem(response, root):
        raise NotStamped(problem)
    return response


def stamp_problem(response: TimeStampResponse, root: bytes) -> str:
    """Return why the time stamp is not valid for the root, "" if it is.

    Whether the service's signature is valid is checked if TIME_STAMP_CA names the certificates to trust.
    """
    if response.tst_info.message_imprint.message != sha256(root).digest():
        return "The time stamp is for another root."
    if not settings.TIME_STAMP_CA:
        return ""
    verifier = VerifierBuilder()
    for certificate in load_pem_x509_certificates(Path(settings.TIME_STAMP_CA).read_bytes()):
        verifier = verifier.add_root_certificate(certificate)
    try:
        verifier.build().verify_message(response, root)
    except VerificationError as error:
        return f"The signature of the time stamp is not valid: {error}"
    return ""


def stored_problems() -> Iterator[tuple[TimeStamp, str]]:
    """Yield the stored time stamps that do not fit the seals they are for, and why."""
    for stamp in TimeStamp.objects.order_by("last_seal_id").iterator():
        if problem := _stored_problem(stamp):
            yield stamp, problem


def _stored_problem(stamp: TimeStamp) -> str:
    if merkle_root(stamped_roots(stamp)) != bytes(stamp.root):
        return "The seals that it is for have other roots now."
    try:
        return stamp_problem(decode_timestamp_response(bytes(stamp.token)), bytes(stamp.root))
    except ValueError:
        return "What is stored is no time stamp."


def stamped_roots(stamp: TimeStamp) -> list[bytes]:
    """Return the roots of the seals that the time stamp is for."""
    seals = DaySeal.objects.filter(id__gte=stamp.first_seal_id, id__lte=stamp.last_seal_id)
    return [bytes(root) for root in seals.order_by("id").values_list("root", flat=True)]


def proof_of(seal: DaySeal, stamp: TimeStamp) -> dict[str, object]:
    """Return what leads from the seal's root to the one that was stamped."""
    roots = stamped_roots(stamp)
    index = DaySeal.objects.filter(id__gte=stamp.first_seal_id, id__lt=seal.pk).count()
    return {
        "index": index,
        "count": len(roots),
        "proof": [each.hex() for each in inclusion_proof(roots, index)],
        "root": bytes(stamp.root).hex(),
    }


def _post(body: bytes) -> bytes:
    limits = FetchLimits(total_seconds=20.0, max_bytes=MOST_BYTES, max_redirects=0)
    try:
        with GuardedExchange(limits, parse_networks(_ANY_ADDRESS)) as exchange:
            response = exchange.open("POST", settings.TIME_STAMP_URL, _HEADERS, body)
            if response.status != http.client.OK:
                raise NotStamped(f"The service responded with status {response.status}.")
            return response.read(MOST_BYTES)
    except FetchFailure as failure:
        raise NotStamped(failure.message) from failure
    except (OSError, http.client.HTTPException) as error:
        raise NotStamped("The service closed the connection.") from error
