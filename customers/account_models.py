"""Invitations to become a member of a customer, and what is known of sign-ins: attempts, addresses, devices."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower, Now

from core.scope import ScopedModel, ScopeWays


class MemberRole(models.TextChoices):
    """The roles that a person can have in a customer."""

    VIEWER = "viewer", "viewer"
    OPERATOR = "operator", "operator"
    MANAGER = "manager", "manager"


class Invitation(ScopedModel):
    """An invitation that was sent to an address; see `customers.accounts.invitations`.

    The link's secret is stored as a hash. A new link replaces the previous one.
    """

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    class Outcome(models.TextChoices):
        """How it ended; empty while it is open."""

        ACCEPTED = "accepted", "accepted"
        DECLINED = "declined", "declined"
        WITHDRAWN = "withdrawn", "withdrawn"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey("customers.Customer", on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField("e-mail address", max_length=150)
    role = models.CharField(max_length=8, choices=MemberRole.choices, default=MemberRole.VIEWER)
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(editable=False)
    sent_at = models.DateTimeField(null=True, editable=False, help_text="When the link was last sent by mail.")
    outcome = models.CharField(max_length=9, choices=Outcome.choices, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        db_table = "invitation"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                "customer",
                Lower("email"),
                condition=models.Q(outcome=""),
                name="one_open_invitation_an_address",
                violation_error_message="This address is already invited.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.customer.customer_code}"

    def is_open_at(self, instant: datetime) -> bool:
        """Return whether it can be accepted at `instant`."""
        return not self.outcome and instant < self.expires_at


class SignInTries(models.Model):
    """Sign-in attempts with an account, or from an address, until `ends_at`; see `customers.access.login_throttle`."""

    who = models.CharField(max_length=64, primary_key=True)
    ends_at = models.DateTimeField()
    try_count = models.PositiveIntegerField()

    class Meta:
        db_table = "sign_in_tries"
        # Finds expired rows to delete.
        indexes = [models.Index(fields=["ends_at"], name="sign_in_tries_over")]

    def __str__(self) -> str:
        return f"{self.who[:8]}…: {self.try_count} until {self.ends_at:%H:%M}"


class KnownAddress(models.Model):
    """An address from which an account was signed in to, both as hashes; see `customers.access.login_throttle`."""

    account = models.CharField(max_length=64)
    address = models.CharField(max_length=64)
    used_at = models.DateTimeField()

    class Meta:
        db_table = "known_address"
        constraints = [models.UniqueConstraint(fields=["account", "address"], name="known_address_once_an_account")]
        # Finds rows to delete.
        indexes = [models.Index(fields=["used_at"], name="known_address_used")]

    def __str__(self) -> str:
        return f"{self.account[:8]}… from {self.address[:8]}… at {self.used_at:%Y-%m-%d %H:%M}"


class KnownDevice(models.Model):
    """A device on which a person has signed in, by the hash of its cookie; see `customers.accounts.devices`."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    device_hash = models.CharField(max_length=64)
    used_at = models.DateTimeField()

    class Meta:
        db_table = "known_device"
        constraints = [models.UniqueConstraint(fields=["user", "device_hash"], name="known_device_once_an_account")]

    def __str__(self) -> str:
        return f"{self.user} at {self.used_at:%Y-%m-%d %H:%M}"
