"""Time stamps by a real service: openssl answers requests over HTTP with certificates made for the test."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from core.crypto.merkle import inclusion_proof, leaf_hash, merkle_root
from customers.models import Customer
from readings.storage.closing import closes_at
from seals.models import DaySeal, TimeStamp
from seals.tasks import stamp_roots
from seals.tests.sealed_data import DAY, NEXT_DAY, findings_of, seal_until, store_in_time
from seals.time_stamps import NotStamped, stamp_seals
from seals.verify_export import check, root_by_proof
from tests.factories import StorageUnitFactory

pytestmark = pytest.mark.django_db

CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
x509_extensions = authority
[name]
CN = Authority of the test
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[service]
extendedKeyUsage = critical, timeStamping
keyUsage = critical, digitalSignature
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/service.pem
signer_key = {folder}/service.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


# The service's response that it has stamped nothing, in DER.
REFUSAL = bytes.fromhex("30053003020102")


def openssl(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the certificates and the configuration of a time-stamping service."""
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
    (folder / "serial").write_text("01\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "tsa.cnf")
    openssl(folder, "req", "-x509", *key, "-keyout", "authority.key", "-out", "authority.pem", "-days", "2")
    openssl(folder, "req", *key, "-subj", "/CN=Service", "-keyout", "service.key", "-out", "service.csr")
    openssl(
        folder,
        *("x509", "-req", "-in", "service.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-days", "1"),
        *("-set_serial", "2", "-extfile", "tsa.cnf", "-extensions", "service", "-out", "service.pem"),
    )
    return folder


@pytest.fixture
def service(authority: Path, settings: Settings) -> Iterator[str]:
    """Run the service and configure it; return its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (authority / "query.tsq").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            openssl(authority, *("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-out", "reply.tsr"))
            self.send_response(200)
            self.end_headers()
            self.wfile.write((authority / "reply.tsr").read_bytes())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    settings.TIME_STAMP_URL = f"http://127.0.0.1:{server.server_port}/"
    settings.TIME_STAMP_CA = str(authority / "authority.pem")
    yield settings.TIME_STAMP_URL
    server.shutdown()
    server.server_close()


@pytest.fixture
def customer() -> Customer:
    unit = StorageUnitFactory(facility__customer__customer_code="ACME")
    store_in_time(unit, [5.0, 6.0])
    customer = unit.facility.customer
    seal_until(closes_at(DAY), None)
    seal_until(closes_at(NEXT_DAY), customer)
    return customer


@given(st.integers(1, 40), st.data())
def test_a_proof_leads_from_its_leaf_to_the_root_and_from_no_other(count: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(count)]
    index = data.draw(st.integers(0, count - 1))
    proof = inclusion_proof(leaves, index)

    assert root_by_proof(leaves[index], index, count, proof) == merkle_root(leaves)
    assert root_by_proof(leaf_hash(b"another leaf"), index, count, proof) != merkle_root(leaves)
    assert root_by_proof(leaves[index], index, count, [*proof, leaves[index]]) is None
    assert root_by_proof(leaves[index], count, count, proof) is None


def test_new_seals_are_stamped_once(service: str, customer: Customer) -> None:
    stamp = stamp_seals()

    assert stamp is not None
    assert (stamp.first_seal_id, stamp.last_seal_id) == (
        DaySeal.objects.order_by("id")[0].pk,
        DaySeal.objects.order_by("-id")[0].pk,
    )
    assert stamp.service_url == service
    assert stamp_seals() is None
    assert findings_of(customer) == []


@pytest.mark.usefixtures("service")
def test_openssl_confirms_the_exported_stamp_and_the_proof_leads_to_it(
    customer: Customer, authority: Path, tmp_path: Path
) -> None:
    stamp_roots()
    path = tmp_path / "acme.zip"
    call_command("export_seals", "ACME", str(path), stdout=StringIO())

    with ZipFile(path) as archive:
        seals = [json.loads(line) for line in archive.read("seals.jsonl").splitlines()]
        stamped = [json.loads(line) for line in archive.read("time_stamps.jsonl").splitlines()]
    assert [each["seal"] for each in stamped] == [1, 2]
    for seal, each in zip(seals, stamped, strict=True):
        proof = [bytes.fromhex(step) for step in each["proof"]]
        root = root_by_proof(bytes.fromhex(seal["root"]), each["index"], each["count"], proof)
        assert root is not None
        assert root.hex() == each["root"]
    (tmp_path / "root.bin").write_bytes(bytes.fromhex(stamped[0]["root"]))
    (tmp_path / "stamp.tsr").write_bytes(base64.b64decode(stamped[0]["token"]))
    checked = openssl(
        tmp_path,
        *("ts", "-verify", "-data", "root.bin", "-in", "stamp.tsr", "-CAfile", str(authority / "authority.pem")),
    )
    assert b"Verification: OK" in checked
    assert check(path)[0] == []


@pytest.mark.usefixtures("service")
def test_seals_that_were_made_again_do_not_fit_their_stamp(customer: Customer) -> None:
    stamp_seals()
    DaySeal.objects.filter(customer=customer, sequence=2).update(root=bytes(32))

    printed = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_trail", stdout=printed)
    assert "The seals that it is for have other roots now." in printed.getvalue()


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("token", [b"", b"no time stamp", REFUSAL], ids=["empty", "damaged", "a refusal"])
def test_a_stored_stamp_that_is_none_is_found(customer: Customer, token: bytes) -> None:
    stamp_seals()
    TimeStamp.objects.update(token=token)

    (finding,) = findings_of(customer)
    assert finding.where.startswith("time stamp of seals ")
    assert finding.detail == "What is stored is no time stamp."


@pytest.mark.usefixtures("service")
def test_a_stamp_of_an_authority_that_is_not_trusted_is_refused(
    customer: Customer, authority: Path, settings: Settings
) -> None:
    openssl(
        authority,
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "tsa.cnf"),
        *("-subj", "/CN=Another", "-keyout", "another.key", "-out", "another.pem", "-days", "2"),
    )
    settings.TIME_STAMP_CA = str(authority / "another.pem")

    with pytest.raises(NotStamped, match="The signature of the time stamp is not valid"):
        stamp_seals()
    assert not TimeStamp.objects.exists()


@pytest.mark.usefixtures("customer")
def test_without_a_service_nothing_is_stamped(settings: Settings) -> None:
    settings.TIME_STAMP_URL = ""

    assert stamp_seals() is None


@pytest.mark.usefixtures("customer")
def test_a_service_that_is_down_is_asked_again_later(settings: Settings) -> None:
    settings.TIME_STAMP_URL = "http://127.0.0.1:9/"

    stamp_roots()

    assert not TimeStamp.objects.exists()
