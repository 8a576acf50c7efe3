"""Electronic signatures of alarms."""

from __future__ import annotations

from django.db import models

from alarms.models.alarms import Alarm, AlarmEvent
from core.scope import ScopedModel, ScopeWays


class AlarmSignature(ScopedModel):
    """The electronic signature of a person on an alarm as it was after an action; see `alarms.lifecycle.signatures`.

    `record` is what was signed, as canonical JSON, and `record_sha256` its hash. The signer is named by value, as a
    signature outlives the account. Rows are only ever added.
    """

    SCOPE = ScopeWays(customer="alarm__customer_id", unit="alarm__storage_unit_id")
    APPEND_ONLY = True

    class Meaning(models.TextChoices):
        REVIEWED = "reviewed", "Reviewed"
        APPROVED = "approved", "Approved"
        RESPONSIBLE = "responsible", "Responsible"

    class Method(models.TextChoices):
        PASSWORD = "password", "password"
        PASSKEY = "passkey", "passkey"

    alarm = models.ForeignKey(Alarm, on_delete=models.PROTECT, related_name="signatures")
    event = models.OneToOneField(AlarmEvent, on_delete=models.PROTECT, related_name="signature")
    meaning = models.CharField(max_length=11, choices=Meaning.choices)
    signer_id = models.IntegerField(help_text="Of the account.")
    signer_user_name = models.CharField(max_length=150)
    signer_name = models.CharField(max_length=300, help_text="The full name at the time.")
    method = models.CharField(max_length=8, choices=Method.choices, help_text="What the signer entered again.")
    signed_at = models.DateTimeField()
    time_zone = models.CharField(max_length=64, help_text="IANA name of the zone in which the time is shown.")
    record = models.TextField(help_text="What was signed, as canonical JSON.")
    record_sha256 = models.CharField(max_length=64, help_text="SHA-256 of the record, hexadecimal.")

    class Meta:
        db_table = "alarm_signature"
        ordering = ["alarm_id", "signed_at", "id"]

    def __str__(self) -> str:
        return f"{self.get_meaning_display()} by {self.signer_name} at {self.signed_at:%Y-%m-%d %H:%M:%S} UTC"
