"""The demo: ten fictional customers whose systems are simulated.

Their facilities and units are not listed here: the sources read them from the customers' systems, as in production.

The demo is loaded once, into a system without customers, and `DemoSystem` records that. From then on the system belongs
to whoever tries it: what they add, rename or delete stays so. Loading again finds the simulator's ports, and adds once
what demos loaded by earlier versions lack.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from alarms.models import Channel, CustomerLimits, LimitProfile, Rule
from customers.access.tokens import create_token, hash_token
from customers.models import ApiToken, Customer, Membership
from ingestion.models import Source
from temperature_site.models import DemoSystem

SOURCE_NAME = "simulator"
PATHS = {"api": "/temperature/current?hours={hours}", "csv": "/data/download.csv?hours={hours}"}
SECONDS = {"api": 60, "csv": 300}


@dataclass(frozen=True)
class DemoCustomer:
    """A customer of the demo; its system listens on the simulator's first port plus its position in the list."""

    code: str
    name: str
    method: str


CUSTOMERS = (
    DemoCustomer("A", "Pharma Corp A", "api"),
    DemoCustomer("B", "Local Business B", "csv"),
    DemoCustomer("C", "Industrial Corp C", "api"),
    DemoCustomer("D", "Industrial Corp D", "api"),
    DemoCustomer("E", "Food Storage Ltd E", "csv"),
    DemoCustomer("F", "Industrial Corp F", "api"),
    DemoCustomer("G", "Food Storage Ltd G", "csv"),
    DemoCustomer("H", "Food Storage Ltd H", "csv"),
    DemoCustomer("I", "Food Storage Ltd I", "csv"),
    DemoCustomer("J", "Local Business J", "csv"),
)


@dataclass(frozen=True)
class DemoPerson:
    """Someone to sign in as: staff, or a member of one customer."""

    user_name: str
    customer_code: str | None
    role: str
    description: str


# Public on purpose; `load` refuses to use it outside the demo.
PASSWORD = "cold-store-demo"  # noqa: S105
PEOPLE = (
    DemoPerson("operator", None, "", "the operator: sees every customer and the admin"),
    DemoPerson("anna", "A", Membership.Role.MANAGER, "manager of Pharma Corp A"),
    DemoPerson("ben", "E", Membership.Role.VIEWER, "viewer of Food Storage Ltd E"),
)


# Clients of the earlier system read with its write tokens as well.
TOKEN_PERMISSIONS = {"read": ["read"], "write": ["read", "write", "manage"], "admin": ["admin"]}


def well_known_tokens() -> list[tuple[str, str, str]]:
    """Return the text, the customer code and the name of each token in the demo's documentation."""
    numbered = [(each.code, ord(each.code)) for each in CUSTOMERS]
    own = [
        (f"{name}_{code}_{number}_token_2025", code, name) for code, number in numbered for name in ("read", "write")
    ]
    return [*own, ("admin_A_65_admin_token_2025", "A", "admin")]


class NotADemo(Exception):  # noqa: N818 - reads better where it is caught
    """The system has customers of its own, so the demo's public passwords must not be added."""


@transaction.atomic
def load() -> None:
    """Load the demo, or follow the simulator's ports if it was loaded before. Raise NotADemo."""
    if not settings.DEMO:
        raise NotADemo("The demo has public passwords and tokens. Set DEMO=true to load it into a system for trials.")
    system = DemoSystem.objects.select_for_update().first()
    if system is None:
        _load_into_empty_system()
    else:
        _move_sources(system.simulator_port)
        _complete_write_tokens()
        if not system.has_notifications:
            _complete_notifications()
    values = {"simulator_port": settings.SIMULATOR_PORT, "has_notifications": True}
    DemoSystem.objects.update_or_create(defaults=values)


def people_to_sign_in_as() -> list[DemoPerson]:
    """Return the demo's people who still have their name and the demo's password."""
    passwords = User.objects.in_bulk([person.user_name for person in PEOPLE], field_name="username")
    return [
        person
        for person in PEOPLE
        if person.user_name in passwords and passwords[person.user_name].check_password(PASSWORD)
    ]


def _load_into_empty_system() -> None:
    stranger = Customer.objects.first()
    if stranger is not None:
        raise NotADemo(f"The demo is for an empty system, and this one has customers such as {stranger}.")
    for position, each in enumerate(CUSTOMERS):
        _load_customer(each, _base_url(settings.SIMULATOR_PORT + position))
    for person in PEOPLE:
        _load_person(person)
    customers = {customer.customer_code: customer for customer in Customer.objects.all()}
    for text, code, name in well_known_tokens():
        create_token(customers[code], f"demo, {name}", TOKEN_PERMISSIONS[name], text=text)


def _load_customer(each: DemoCustomer, base_url: str) -> None:
    customer = Customer.objects.create(
        customer_code=each.code,
        name=each.name,
        data_sharing_method=each.method,
        data_frequency_seconds=SECONDS[each.method],
        api_url=base_url,
    )
    CustomerLimits.objects.create(customer=customer, profile=LimitProfile.objects.get(is_default=True))
    _notify(customer)
    Source.objects.create(
        customer=customer,
        name=SOURCE_NAME,
        ingestion_type=each.method,
        interval_seconds=SECONDS[each.method],
        facility_time_zone="Europe/London",
        url=base_url + PATHS[each.method],
        structure_url=base_url + "/facilities",
    )


def _notify(customer: Customer) -> None:
    """Let every alarm be notified by mail, which `manage.py run` writes into files."""
    address = f"shift-{customer.customer_code.lower()}@example.com"
    channel = Channel.objects.create(customer=customer, kind=Channel.Kind.EMAIL, name="shift", address=address)
    Rule.objects.create(customer=customer, name="every alarm").channels.set([channel])


def _base_url(port: int) -> str:
    return f"http://localhost:{port}"


def _move_sources(former_port: int) -> None:
    """Replace the ports that the simulator had at the last start; a source pointed elsewhere is left alone."""
    if former_port == settings.SIMULATOR_PORT:
        return
    moved = {
        _base_url(former_port + position) + "/": _base_url(settings.SIMULATOR_PORT + position) + "/"
        for position in range(len(CUSTOMERS))
    }
    for source in Source.objects.filter(url__startswith="http://localhost:"):
        for former, current in moved.items():
            if source.url.startswith(former):
                source.url = source.url.replace(former, current, 1)
                source.structure_url = source.structure_url.replace(former, current, 1)
                source.save(update_fields=["url", "structure_url", "updated_at"])
                break


def _complete_write_tokens() -> None:
    """Give the write tokens of demos loaded earlier the permissions that are documented."""
    hashes = [hash_token(text) for text, _, name in well_known_tokens() if name == "write"]
    tokens = ApiToken.objects.filter(token_hash__in=hashes, permissions__contains=["write"])
    tokens.exclude(permissions__contains=TOKEN_PERMISSIONS["write"]).update(permissions=TOKEN_PERMISSIONS["write"])


def _complete_notifications() -> None:
    """Give the customers of demos loaded earlier their channel and rule, unless they have some."""
    loaded = Customer.objects.filter(customer_code__in=[each.code for each in CUSTOMERS], sources__name=SOURCE_NAME)
    for customer in loaded.filter(channels=None, notification_rules=None).distinct():
        _notify(customer)


def _load_person(person: DemoPerson) -> None:
    is_operator = person.customer_code is None
    user = User.objects.create_user(person.user_name, password=PASSWORD, is_staff=is_operator, is_superuser=is_operator)
    if not is_operator:
        customer = Customer.objects.get(customer_code=person.customer_code)
        Membership.objects.create(user=user, customer=customer, role=person.role)
