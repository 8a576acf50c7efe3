"""A customer with one object of every kind, and the URL of every route about them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alarms.models import LimitProfile
from customers.models import Customer
from tests.alarm_factories import (
    AlarmFactory,
    ChannelFactory,
    MaintenanceWindowFactory,
    MessageFactory,
    RuleFactory,
)
from tests.factories import (
    DeliveryFactory,
    ImportFileFactory,
    InvitationFactory,
    MembershipFactory,
    PushSourceFactory,
    SourceFactory,
    SourceSetupFactory,
    StorageUnitFactory,
    make_token,
    store_reading,
)

# A parameter of a route.
PARAMETER = re.compile(r"<\w+:(\w+)>")


@dataclass(frozen=True)
class World:
    """A customer with one object of every kind."""

    customer: Customer
    ids: dict[str, object]
    owned: dict[str, object]

    def url(self, path: str) -> str:
        """Return the URL of a route with the ids of the customer's objects."""
        parts = path.split("/")
        for place, part in enumerate(parts):
            found = PARAMETER.fullmatch(part)
            if found:
                name = found[1]
                parts[place] = str(self.owned[parts[place - 1]] if name == "public_id" else self.ids[name])
        return "/" + "/".join(parts)


def make_world() -> World:
    """Create the customer and its objects."""
    unit = StorageUnitFactory()
    store_reading(unit)
    customer = unit.facility.customer
    token, _ = make_token(customer)
    channel = ChannelFactory(customer=customer)
    alarm = AlarmFactory(storage_unit=unit)
    MembershipFactory(customer=customer, role="manager")
    ids: dict[str, object] = {
        "facility_id": unit.facility.public_id,
        "unit_id": unit.public_id,
        "alarm_id": alarm.public_id,
        "key": "data_retention_days",
        "step": "connection",
        "action": "acknowledge",
        "token_id": token.public_id,
        "membership_id": MembershipFactory(customer=customer).pk,
        "profile_id": LimitProfile.objects.get(is_default=True).public_id,
        "sensor_id": unit.sensors.get().pk,
        "window_id": MaintenanceWindowFactory(customer=customer).public_id,
        "channel_id": channel.public_id,
        "rule_id": RuleFactory(customer=customer).public_id,
        "invitation_id": InvitationFactory(customer=customer).public_id,
        "message_id": MessageFactory(channel=channel, alarm=alarm).public_id,
    }
    # A request to it is refused at once.
    source = SourceFactory(customer=customer, url="http://127.0.0.1/readings")
    ids["delivery_id"] = DeliveryFactory(source=source).public_id
    owned: dict[str, object] = {
        "facilities": unit.facility.public_id,
        "units": unit.public_id,
        "alarms": alarm.public_id,
        "tokens": token.public_id,
        "sources": source.public_id,
        "setup": SourceSetupFactory(source__customer=customer, source__is_paused=False).public_id,
        "imports": ImportFileFactory(file_import__customer=customer).file_import.public_id,
        "ingest": PushSourceFactory(customer=customer).public_id,
        "customers": customer.public_id,
        "settings": customer.public_id,
    }
    return World(customer, ids, owned)
