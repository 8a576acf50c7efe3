"""What people are told: messages, each a row before it is sent, and what became of sending them."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from alarms.models.alarms import Alarm, AlarmEvent
from alarms.models.channels import Channel, Rule
from core.scope import ScopedModel, ScopeWays
from customers.models import Customer


class Message(ScopedModel):
    """One message to one channel. It is sent at least once; a repeat has the same `public_id` and the same words.

    Waiting until it is sent, or dead when three days of trying were not enough. One that is folded is told by
    `folded_into` instead: a digest, or the message that counts how often a unit flapped.

    `event`: what it tells of; None for those that tell of several, and tests. `sequence`: of a reminder the
    how-manieth it is, of a flapping unit's message how often it alarmed, else 0.
    """

    SCOPE = ScopeWays(customer="channel__customer_id", unit=None)

    class Reason(models.TextChoices):
        OPENED = "opened", "opened"
        WORSENED = "worsened", "became critical"
        REOPENED = "reopened", "reopened"
        RELEASED = "released", "no longer explained by another alarm"
        CLOSED = "closed", "closed"
        WITHDRAWN = "withdrawn", "withdrawn"
        REMINDER = "reminder", "still open"
        ESCALATED = "escalated", "not acknowledged"
        FLAPPING = "flapping", "alarms again and again"
        DIGEST = "digest", "several at once"
        TEST = "test", "test"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        SENT = "sent", "sent"
        DEAD = "dead", "not delivered"
        FOLDED = "folded", "told together with others"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="messages", db_index=False)
    alarm = models.ForeignKey(Alarm, null=True, on_delete=models.CASCADE, related_name="messages")
    event = models.ForeignKey(AlarmEvent, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    rule = models.ForeignKey(Rule, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=9, choices=Reason.choices)
    sequence = models.PositiveIntegerField(default=0)
    is_critical = models.BooleanField(default=False)
    subject = models.CharField(max_length=300)
    body = models.TextField()
    data = models.JSONField(default=dict, help_text="What a program is told, as the body of a webhook.")

    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    folded_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="folded")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    tried_since = models.DateTimeField(default=timezone.now, help_text="When it was due; three days later it is dead.")
    next_attempt_at = models.DateTimeField(default=timezone.now)
    claim_id = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempt_count = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "message"
        ordering = ["-created_at", "-id"]
        constraints = [
            # Two ticks, or a tick and the event itself, are harmless.
            models.UniqueConstraint(
                fields=["event", "channel"],
                condition=models.Q(sequence=0) & ~models.Q(reason__in=["escalated", "flapping"]),
                name="message_once_an_event_and_channel",
            ),
            models.UniqueConstraint(
                fields=["event", "rule", "channel", "sequence"],
                condition=models.Q(reason="reminder"),
                name="message_once_a_reminder",
            ),
            models.UniqueConstraint(
                fields=["event", "channel"],
                condition=models.Q(reason="escalated"),
                name="message_once_an_escalation",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="sent") | models.Q(sent_at__isnull=False), name="message_sent_says_when"
            ),
            models.CheckConstraint(
                condition=models.Q(folded_into=None) | models.Q(state="folded"), name="message_folded_says_so"
            ),
        ]
        indexes = [
            # What is due, for the claim, and how much of it there is on a channel, for digests.
            models.Index(fields=["next_attempt_at"], name="message_due", condition=models.Q(state="waiting")),
            # How many a channel was sent within the last minute.
            models.Index(fields=["channel", "-claimed_at"], name="message_claimed"),
            # A channel's messages, the newest first, for pages; whether a unit flaps.
            models.Index(fields=["channel", "-created_at"], name="message_of_channel"),
        ]

    def __str__(self) -> str:
        return self.subject


class Attempt(ScopedModel):
    """One try to send a message, and how it ended. `answer` is an excerpt without secrets."""

    SCOPE = ScopeWays(customer="message__channel__customer_id", unit=None)

    class Outcome(models.TextChoices):
        DELIVERED = "delivered", "delivered"
        FAILED = "failed", "failed"
        GONE = "gone", "gone for good"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    duration_seconds = models.FloatField()
    outcome = models.CharField(max_length=9, choices=Outcome.choices)
    status_code = models.PositiveSmallIntegerField(null=True, help_text="Of HTTP or SMTP; empty: there was none.")
    answer = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "message_attempt"
        ordering = ["message_id", "at"]

    def __str__(self) -> str:
        return f"{self.outcome} at {self.at:%Y-%m-%d %H:%M:%S}"


class DrillSchedule(ScopedModel):
    """How often a customer's notifications are tried by a drill. Without a row only people start drills."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, primary_key=True, related_name="drill_schedule")
    every_days = models.PositiveSmallIntegerField()
    next_due_at = models.DateTimeField()

    class Meta:
        db_table = "drill_schedule"
        constraints = [
            models.CheckConstraint(condition=models.Q(every_days__range=(1, 366)), name="drill_every_days_to_a_year")
        ]

    def __str__(self) -> str:
        return f"every {self.every_days} days"


class Drill(ScopedModel):
    """A trial of a customer's notifications; its results are the messages of its alarm."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="drills")
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=200, blank=True, help_text="Empty: its schedule.")
    alarm = models.ForeignKey(Alarm, null=True, on_delete=models.SET_NULL, related_name="drills")
    ended_at = models.DateTimeField(null=True, help_text="Empty: it is under way.")

    class Meta:
        db_table = "drill"
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer"],
                condition=models.Q(ended_at=None),
                name="one_drill_at_a_time",
                violation_error_message="A drill of this customer is under way.",
            )
        ]
        # The newest drills of a customer, for its page.
        indexes = [models.Index(fields=["customer", "-started_at"], name="drill_of_customer")]

    def __str__(self) -> str:
        return f"drill of {self.started_at:%Y-%m-%d %H:%M:%S}"
