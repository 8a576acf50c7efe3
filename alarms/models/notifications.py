"""Notification messages, each stored before it is sent, with their delivery attempts, and alarm drills."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from alarms.models.alarms import Alarm, AlarmEvent
from alarms.models.channels import SLOW_SECONDS, Channel, Rule
from core.scope import ScopedModel, ScopeWays
from core.tracing import TRACE_LENGTH, current_trace
from customers.models import Customer


class Message(ScopedModel):
    """One message to one channel. It is sent at least once; repeats have the same `public_id` and content.

    It waits until it is sent, or dead after three days of attempts. A grouped message is represented by `folded_into`:
    a digest, or the message that counts the alarms of a flapping unit.

    `event`: the event it reports; None for messages about several, and tests. `sequence`: the number of a reminder, or
    the number of alarms of a flapping unit; otherwise 0.
    """

    SCOPE = ScopeWays(customer="channel__customer_id", unit=None)

    class Reason(models.TextChoices):
        OPENED = "opened", "opened"
        WORSENED = "worsened", "became critical"
        REVISED = "revised", "revised"
        REOPENED = "reopened", "reopened"
        RELEASED = "released", "no longer inhibited"
        CLOSED = "closed", "closed"
        WITHDRAWN = "withdrawn", "withdrawn"
        REMINDER = "reminder", "still open"
        ESCALATED = "escalated", "not acknowledged"
        FLAPPING = "flapping", "repeated alarms"
        DIGEST = "digest", "digest"
        TEST = "test", "test"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        SENT = "sent", "sent"
        DEAD = "dead", "not delivered"
        GROUPED = "folded", "grouped"

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
    data = models.JSONField(default=dict, help_text="The body of a webhook.")

    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    folded_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="folded")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    tried_since = models.DateTimeField(default=timezone.now, help_text="First due; given up three days later.")
    next_attempt_at = models.DateTimeField(default=timezone.now)
    claim_id = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempt_count = models.PositiveIntegerField(default=0)
    trace = models.CharField(
        max_length=TRACE_LENGTH,
        blank=True,
        default=current_trace,
        db_default="",
        help_text="The span that created it, if that was traced.",
    )
    sent_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "message"
        ordering = ["-created_at", "-id"]
        constraints = [
            # Keep concurrent ticks from creating duplicates.
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
            # Due messages, for claims and digests.
            models.Index(fields=["next_attempt_at"], name="message_due", condition=models.Q(state="waiting")),
            # Messages sent to a channel within the last minute.
            models.Index(fields=["channel", "-claimed_at"], name="message_claimed"),
            # A channel's messages, newest first, for pages and flap detection.
            models.Index(fields=["channel", "-created_at"], name="message_of_channel"),
        ]

    def __str__(self) -> str:
        return self.subject


class Attempt(ScopedModel):
    """One attempt to deliver a message. `answer` is an excerpt without secrets."""

    SCOPE = ScopeWays(customer="message__channel__customer_id", unit=None)

    class Outcome(models.TextChoices):
        DELIVERED = "delivered", "delivered"
        FAILED = "failed", "failed"
        GONE = "gone", "gone"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    duration_seconds = models.FloatField()
    outcome = models.CharField(max_length=9, choices=Outcome.choices)
    status_code = models.PositiveSmallIntegerField(null=True, help_text="Of HTTP or SMTP. Empty if there was none.")
    answer = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "message_attempt"
        ordering = ["message_id", "at"]

    def __str__(self) -> str:
        return f"{self.outcome} at {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def is_slow(self) -> bool:
        """Whether it makes its channel a slow one."""
        return self.outcome != self.Outcome.DELIVERED or self.duration_seconds >= SLOW_SECONDS


class DrillSchedule(ScopedModel):
    """How often a customer's alarm drills run. Without a row drills are only started manually."""

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
    """An end-to-end test of a customer's notifications; its results are the messages of its alarm."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="drills")
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=200, blank=True, help_text="Empty if started by the schedule.")
    alarm = models.ForeignKey(Alarm, null=True, on_delete=models.SET_NULL, related_name="drills")
    ended_at = models.DateTimeField(null=True, help_text="Empty while it is running.")

    class Meta:
        db_table = "drill"
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer"],
                condition=models.Q(ended_at=None),
                name="one_drill_at_a_time",
                violation_error_message="A drill for this customer is already running.",
            )
        ]
        # The newest drills of a customer, for its page.
        indexes = [models.Index(fields=["customer", "-started_at"], name="drill_of_customer")]

    def __str__(self) -> str:
        return f"drill of {self.started_at:%Y-%m-%d %H:%M:%S}"
