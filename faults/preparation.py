"""What a trial needs in the database beside the demo's customers: a customer whose gateway pushes, and its alarms."""

from __future__ import annotations

from django.db import transaction

from alarms.models import Channel, CustomerLimits, LimitProfile, Rule
from customers.access.tokens import create_token
from customers.models import Customer
from ingestion.models import Source
from ingestion.models.source import IngestionType


@transaction.atomic
def prepare(receiver_url: str) -> str:
    """Create the gateway's customer, and a rule that sends each of its alarms to the receiver, and no other alarm.

    Return the path and the token that the gateway pushes with, separated by a space.
    """
    Rule.objects.all().delete()
    Channel.objects.all().delete()
    customer = Customer.objects.create(customer_code="GATEWAY", name="Gateway")
    CustomerLimits.objects.create(customer=customer, profile=LimitProfile.objects.get(is_default=True))
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
    source = Source.objects.create(customer=customer, name="gateway", ingestion_type=IngestionType.PUSH)
    _, token = create_token(customer, "gateway", ["write"], source_public_id=source.public_id)
    return f"/api/v1/ingest/{source.public_id} {token}"
