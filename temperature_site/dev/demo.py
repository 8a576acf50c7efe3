"""The demo: ten fictional customers whose systems are simulated.

Their facilities and units are not listed here: the sources read them from the customers' systems, as in production.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from customers.access.tokens import create_token, hash_token
from customers.models import ApiToken, Customer, Membership
from ingestion.models import Source

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


def well_known_tokens() -> list[tuple[str, str, str]]:
    """Return the text, customer code and permission of each token in the demo's documentation."""
    numbered = [(each.code, ord(each.code)) for each in CUSTOMERS]
    own = [
        (f"{permission}_{code}_{number}_token_2025", code, permission)
        for code, number in numbered
        for permission in ("read", "write")
    ]
    return [*own, ("admin_A_65_admin_token_2025", "A", "admin")]


class NotADemo(Exception):  # noqa: N818 - reads better where it is caught
    """The system has customers of its own, so the demo's public passwords must not be added."""


@transaction.atomic
def load() -> None:
    """Add what is missing from the demo, keeping what people changed. Raise NotADemo."""
    strangers = Customer.objects.exclude(customer_code__in=[each.code for each in CUSTOMERS])
    if strangers.exists():
        raise NotADemo(f"The demo is for an empty system, and this one has customers such as {strangers.first()}.")
    for position, each in enumerate(CUSTOMERS):
        customer, _ = Customer.objects.get_or_create(
            customer_code=each.code,
            defaults={
                "name": each.name,
                "data_sharing_method": each.method,
                "data_frequency_seconds": SECONDS[each.method],
                "api_url": _base_url(position),
            },
        )
        _load_source(customer, each, _base_url(position))
    for person in PEOPLE:
        _load_person(person)
    if settings.DEMO:
        _load_tokens()


def _base_url(position: int) -> str:
    return f"http://localhost:{settings.SIMULATOR_PORT + position}"


def _load_source(customer: Customer, each: DemoCustomer, base_url: str) -> None:
    source, _ = Source.objects.get_or_create(
        customer=customer,
        name=SOURCE_NAME,
        defaults={
            "ingestion_type": each.method,
            "interval_seconds": SECONDS[each.method],
            "facility_time_zone": "Europe/London",
        },
    )
    # The simulator may have moved to another port since the last run.
    source.url = base_url + PATHS[each.method]
    source.structure_url = base_url + "/facilities"
    source.save()


def _load_tokens() -> None:
    customers = {customer.customer_code: customer for customer in Customer.objects.all()}
    known = set(ApiToken.objects.values_list("token_hash", flat=True))
    for text, code, permission in well_known_tokens():
        if hash_token(text) not in known:
            create_token(customers[code], f"demo, {permission}", [permission], text=text)


def _load_person(person: DemoPerson) -> None:
    if User.objects.filter(username=person.user_name).exists():
        return
    is_operator = person.customer_code is None
    user = User.objects.create_user(person.user_name, password=PASSWORD, is_staff=is_operator, is_superuser=is_operator)
    if not is_operator:
        customer = Customer.objects.get(customer_code=person.customer_code)
        Membership.objects.create(user=user, customer=customer, role=person.role)
