"""Notification channels and routing rules."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.text import capfirst
from typing_extensions import override

from alarms.models.alarms import Alarm
from alarms.models.excursions import SEVERITIES
from core.crypto.encrypted_field import EncryptedTextField, Secret
from core.crypto.hidden_urls import HidesUrlSecrets
from core.crypto.redaction import redact_path
from core.scope import ScopedModel, ScopeWays
from customers.models import Customer, Facility, StorageUnit

MAX_MINUTES = 7 * 1_440
WEEKDAYS = list(enumerate(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]))
# Of channels that failed or took this long, few messages are sent at once.
SLOW_SECONDS = 3.0
# Why a channel is disabled by the system.
GONE_REASON = "The receiver answered 410 Gone."


class Channel(HidesUrlSecrets, ScopedModel):
    """A destination for a customer's notifications. It is disabled rather than deleted: messages refer to it.

    `address`: e-mail addresses, separated by commas, or the URL of a webhook with “***” in place of its path; empty for
    apprise, whose URL is a secret. `address_secret`: the whole URL of a webhook.
    `secret`: the key that signs webhooks, or the URL of an apprise service. `previous_secret` signs as well until
    `previous_secret_until`.
    """

    SCOPE = ScopeWays(customer="customer_id", unit=None)
    # The path of a webhook is the key to the chat or the system behind it.
    HIDDEN_URLS = {"address": redact_path}

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"
        APPRISE = "apprise", "Chat or SMS service"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="channels")
    kind = models.CharField(max_length=7, choices=Kind.choices)
    name = models.CharField(max_length=100)
    address = models.CharField(max_length=2000, blank=True, help_text="E-mail addresses, or the webhook's URL.")
    address_secret = EncryptedTextField(blank=True, db_default="", default="", editable=False)
    secret = EncryptedTextField(blank=True)
    previous_secret = EncryptedTextField(blank=True, editable=False)
    previous_secret_until = models.DateTimeField(null=True, editable=False)
    messages_a_minute = models.PositiveSmallIntegerField(
        "messages per minute",
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(1_000)],
        help_text="Excess messages are combined.",
    )
    flap_minutes = models.PositiveSmallIntegerField(
        "flap window, minutes",
        default=30,
        validators=[MaxValueValidator(1_440)],
        help_text="Repeated alarms of a unit within this time are counted in one message. 0 sends every alarm.",
    )
    is_enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=500, blank=True, editable=False)
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    last_error = models.CharField(max_length=500, blank=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    last_duration_seconds = models.FloatField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "channel"
        ordering = ["customer_id", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "name"],
                name="channel_name_once_a_customer",
                violation_error_message="This customer already has a channel with this name.",
            ),
            models.CheckConstraint(
                condition=models.Q(messages_a_minute__gte=1), name="channel_takes_a_message_a_minute"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @override
    def clean(self) -> None:
        self.check_hidden_urls()

    @property
    def request_address(self) -> str:
        """The address with its secrets. Raise SecretUnreadable if they can't be decrypted."""
        return self.whole_url("address")

    def secrets_at(self, instant: datetime) -> list[str]:
        """Return the secrets valid at `instant`, newest first. Raise SecretUnreadable."""
        is_rotating = self.previous_secret_until is not None and instant < self.previous_secret_until
        valid: list[Secret] = [self.secret, self.previous_secret] if is_rotating else [self.secret]
        return [secret.reveal() for secret in valid if secret]


class Rule(ScopedModel):
    """Route a customer's alarms to channels.

    An empty list of kinds, severities or weekdays means all of them. A rule with neither facilities nor units covers
    all units; otherwise the units it names and those of the facilities it names. Deleting a facility or unit widens the
    rule rather than leaving alarms without a recipient.
    """

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="notification_rules")
    name = models.CharField(max_length=100)
    is_enabled = models.BooleanField(default=True)
    kinds: Any = ArrayField(models.CharField(max_length=12, choices=Alarm.Kind.choices), default=list, blank=True)
    severities: Any = ArrayField(models.CharField(max_length=8, choices=SEVERITIES), default=list, blank=True)
    facilities = models.ManyToManyField(Facility, blank=True, related_name="+")
    units = models.ManyToManyField(StorageUnit, blank=True, related_name="+")
    channels = models.ManyToManyField(Channel, blank=True, related_name="rules")
    weekdays: Any = ArrayField(models.PositiveSmallIntegerField(choices=WEEKDAYS), default=list, blank=True)
    from_time = models.TimeField(
        "from",
        null=True,
        blank=True,
        help_text="Local time at the facility. Leave both empty for around the clock.",
    )
    until_time = models.TimeField(
        "until", null=True, blank=True, help_text="If earlier than “from”, the hours end on the next day."
    )
    repeat_minutes = models.PositiveSmallIntegerField(
        "repeat every, minutes",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_MINUTES)],
        help_text="Until the alarm is acknowledged. Leave empty to notify once.",
    )
    escalate_minutes = models.PositiveSmallIntegerField(
        "escalate after, minutes",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_MINUTES)],
        help_text="Notifies the escalation channels if the alarm has not been acknowledged by then.",
    )
    escalation_channels = models.ManyToManyField(
        Channel, blank=True, related_name="escalated_rules", verbose_name="escalate to"
    )
    tells_when_closed = models.BooleanField(
        "notify when closed",
        default=True,
        help_text="Or withdrawn or revised. Sent only to channels that received the alarm.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "notification_rule"
        ordering = ["customer_id", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "name"],
                name="rule_name_once_a_customer",
                violation_error_message="This customer already has a rule with this name.",
            ),
            models.CheckConstraint(
                condition=models.Q(from_time=None, until_time=None)
                | models.Q(from_time__isnull=False, until_time__isnull=False),
                name="rule_has_both_times_or_none",
                violation_error_message="Enter both times or neither.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def coverage_text(self) -> str:
        """Which alarms the rule routes: "Critical; temperature, no data; North plant", "All alarms"."""
        covered = [
            list(self.severities),
            [Alarm.Kind(kind).label for kind in self.kinds],
            [str(place) for place in (*self.facilities.all(), *self.units.all())],
        ]
        return capfirst("; ".join(", ".join(names) for names in covered if names)) or "All alarms"

    @property
    def weekdays_text(self) -> str:
        """The days of its hours: "Sat, Sun"; "" for all."""
        return ", ".join(name[:3] for number, name in WEEKDAYS if number in self.weekdays)
