"""What a trial needs in the database beside the demo's customers: those who push, publish and write, and a rule."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from django.db import transaction

from alarms.models import Channel, CustomerLimits, LimitProfile, Rule
from customers.access.tokens import create_token
from customers.models import Customer, Facility, StorageUnit
from ingestion.models import Source
from ingestion.models.source import IngestionType

WRITERS_UNITS = tuple(f"written_{number}" for number in range(4))
WRITERS_FACILITY = "hall"
WRITERS = "WRITERS"
# A source that a fault lets be polled.
POISON = "poison"


@dataclass(frozen=True)
class Prepared:
    """Paths and tokens of those who send, and the public ids of the writers' units in the order of their codes."""

    push_path: str
    push_token: str
    write_path: str
    write_token: str
    bulk_token: str
    unit_ids: tuple[str, ...]

    @classmethod
    def of(cls, line: str) -> Prepared:
        """Return what `prepare` has printed."""
        values = json.loads(line)
        return cls(**values | {"unit_ids": tuple(values["unit_ids"])})


@transaction.atomic
def prepare(receiver_url: str, broker_url: str, polled_url: str) -> None:
    """Create the customers, and a rule that sends each alarm of the gateway to the receiver, and no other alarm.

    `broker_url`: an MQTT broker, or "". `polled_url`: what the writers' polled source requests. Print what the senders
    have to know, in one line.
    """
    Rule.objects.all().delete()
    Channel.objects.all().delete()
    gateway, push_path, push_token = _pushing_customer("GATEWAY")
    _send_everything_to(receiver_url, gateway)
    if broker_url:
        _publishing_customer(broker_url)
    writers, write_path, write_token = _pushing_customer(WRITERS)
    facility = Facility.objects.create(customer=writers, facility_code=WRITERS_FACILITY, name="Hall")
    units = [StorageUnit.objects.create(facility=facility, unit_code=code, name=code) for code in WRITERS_UNITS]
    polled = {"ingestion_type": IngestionType.API, "url": polled_url, "interval_seconds": 2}
    Source.objects.create(customer=writers, name="polled", **polled)
    Source.objects.create(customer=writers, name=POISON, ingestion_type=IngestionType.API, is_paused=True)
    Source.objects.filter(customer=writers).update(accepts_old_readings=True)
    _, bulk_token = create_token(writers, "bulk", ["write"])
    ids = tuple(str(unit.public_id) for unit in units)
    print(json.dumps(asdict(Prepared(push_path, push_token, write_path, write_token, bulk_token, ids))))


def _pushing_customer(code: str) -> tuple[Customer, str, str]:
    """Create a customer who pushes; return it with the path and the token to push with."""
    customer = Customer.objects.create(customer_code=code, name=code.capitalize())
    CustomerLimits.objects.create(customer=customer, profile=LimitProfile.objects.get(is_default=True))
    source = Source.objects.create(customer=customer, name="pushed", ingestion_type=IngestionType.PUSH)
    _, token = create_token(customer, "pushing", ["write"], source_public_id=source.public_id)
    return customer, f"/api/v1/ingest/{source.public_id}", token


def _send_everything_to(receiver_url: str, customer: Customer) -> None:
    channel = Channel.objects.create(
        customer=customer,
        kind=Channel.Kind.WEBHOOK,
        name="receiver",
        address=receiver_url,
        secret="whsec_" + "A" * 44,
        messages_a_minute=1000,
        flap_minutes=0,
    )
    rule = Rule.objects.create(customer=customer, name="everything", tells_when_closed=False)
    rule.channels.add(channel)


def _publishing_customer(broker_url: str) -> None:
    customer = Customer.objects.create(customer_code="MQTT", name="Publisher")
    Source.objects.create(
        customer=customer,
        name="published",
        ingestion_type=IngestionType.MQTT,
        broker_url=broker_url,
        topic_filters=["faults/{unit}"],
        default_facility_code="hall",
    )
