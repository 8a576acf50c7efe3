"""A customer with a secret of every kind that the system is given or makes, each of them recognisable anywhere."""

from __future__ import annotations

import secrets
from base64 import b32encode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.utils import timezone

from alarms.models import Channel
from core.crypto.encryption import decrypt
from customers.accounts.invitations import invite
from ingestion.models import Source
from tests.access_world import World, make_world
from tests.alarm_factories import WebhookChannelFactory
from tests.factories import MembershipFactory, SourceFactory, make_token

PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n"


def spellings(secret: str) -> frozenset[str]:
    """Return how a secret may be written: as it is, in a URL, in hexadecimal, and in base64 at any position."""
    written = secret.encode()
    encoded = set()
    for before in range(3):
        text = b64encode(b"x" * before + written).decode()
        # The characters at the borders also depend on what is beside the secret.
        inner = text[-(-8 * before // 6) : 8 * (before + len(written)) // 6]
        encoded |= {inner, inner.replace("+", "-").replace("/", "_")}
    return frozenset({secret, quote(secret, safe=""), written.hex(), *encoded})


@dataclass(frozen=True)
class Planted:
    """The customer, a member, and the secrets by their kind."""

    world: World
    person: User
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        """The source that the routes of the API and the pages are called with."""
        return Source.objects.get(public_id=str(self.world.owned["sources"]))

    def new(self, kind: str) -> str:
        """Return a new secret of this kind: letters and digits, as random as a key."""
        self.secrets[kind] = f"Canary{secrets.token_hex(12)}"
        return self.secrets[kind]

    def found_in(self, *texts: str) -> list[str]:
        """Return the kinds of secrets that occur in one of the texts."""
        return [
            kind
            for kind, secret in self.secrets.items()
            if any(spelling in text for text in texts for spelling in spellings(secret))
        ]


def plant() -> Planted:
    """Create the customer with all secrets."""
    world = make_world()
    planted = Planted(world, MembershipFactory(customer=world.customer, role="manager").user)
    _plant_sources(planted)
    _plant_channels(planted)
    _plant_accounts(planted)
    customer = world.customer
    customer.api_url = _address(planted, "customer's API URL")
    customer.full_clean()
    customer.save()
    return planted


def _address(planted: Planted, where: str) -> str:
    """Return a URL with a secret in every part that may hold one."""
    user, path, parameter = (planted.new(f"{where}: {part}") for part in ("user info", "path", "parameter"))
    fragment = planted.new(f"{where}: fragment")
    return f"https://me:{user}@127.0.0.1/hooks/{path}/data?code={parameter}&sig={parameter}#{fragment}"


def _plant_sources(planted: Planted) -> None:
    first = planted.source
    first.url, first.structure_url = _address(planted, "URL"), _address(planted, "structure URL")
    first.request_headers = f"X-Station: {planted.new('header')}"
    first.save()
    # Each request is refused, as the loopback is not allowed.
    body = f'{{"station": "{{secret}}", "password": "{planted.new("body of a request")}"}}'
    server: dict[str, object] = {"url": "https://127.0.0.1/readings"}
    host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVtcHR5"
    sources: Mapping[str, dict[str, object]] = {
        "basic": server,
        "bearer": server,
        "header": server | {"credentials_name": "X-Key"},
        "query": server | {"credentials_name": "station"},
        "body": server | {"request_method": "POST", "request_body": body},
        "oauth2": server | {"token_url": _address(planted, "token URL"), "access_token": planted.new("access token")},
        "MQTT password": {
            "ingestion_type": "mqtt", "broker_url": "mqtts://127.0.0.1", "topic_filters": ["a/{unit}"],
        },
        "S3 key": {
            "ingestion_type": "s3", "url": "s3://bucket/*.csv", "endpoint_url": "https://127.0.0.1",
        },
        "SFTP password": {"ingestion_type": "sftp", "url": "sftp://127.0.0.1/*.csv", "host_key": host_key},
        "key": {"ingestion_type": "sftp", "url": "sftp://127.0.0.1/*.csv", "host_key": host_key},
    }  # fmt: skip
    for kind, fields in sources.items():
        is_basic = kind in ("MQTT password", "S3 key", "SFTP password")
        secret = planted.new(f"credentials: {kind}")
        given = {
            "name": kind,
            "customer": planted.world.customer,
            "credentials_kind": "basic" if is_basic else kind,
            "credentials_name": "station",
            "credentials_secret": PRIVATE_KEY.format(secret) if kind == "key" else secret,
        }
        source: Source = SourceFactory.build(**(given | {"url": ""} | fields))
        source.full_clean()
        source.save()


def _plant_channels(planted: Planted) -> None:
    customer = planted.world.customer
    hook: Channel = WebhookChannelFactory(customer=customer, address=_address(planted, "webhook"))
    planted.secrets["webhook: signing key"] = hook.secret.reveal().removeprefix("whsec_")
    service = f"slack://{planted.new('chat service')}/TB/C"
    WebhookChannelFactory(customer=customer, kind="apprise", address="", secret=service)


def _plant_accounts(planted: Planted) -> None:
    customer, person = planted.world.customer, planted.person
    token, text = make_token(customer)
    # The beginning is stored, so that people recognise the token.
    planted.secrets["API token"] = text.removeprefix(token.prefix)
    person.set_password(planted.new("password"))
    person.save()
    app = b32encode(secrets.token_bytes(20)).decode()
    planted.secrets["authenticator app"] = app
    TOTP.activate(person, app)
    codes = RecoveryCodes.activate(person)
    planted.secrets["recovery code"] = codes.get_unused_codes()[0]
    planted.secrets["recovery codes: seed"] = decrypt(codes.instance.data["seed"])
    _, planted.secrets["invitation"] = invite(customer, "new@example.com", "viewer", by=person, now=timezone.now())
