"""The audit trail's entries, and the user names that were ever given."""

from __future__ import annotations

import unicodedata

from django.db import models

from core.scope import ScopedModel, ScopeWays

LONGEST_NAME = 300
NAME_WAS_GIVEN = "Another account has or had this user name. User names are never reused."


class AuditEntry(ScopedModel):
    """One change of one row, or one event such as a sign-in. Written once by PostgreSQL, never changed.

    It refers to nothing by foreign key, so that it outlives the person, the customer and the object it is about.

    `before` and `after`: a changed row's columns that differ, all columns of a created or deleted one; a secret is
    recorded as “(secret)”. For an event, `after` has its details. The change of one row is one entry;
    entries with the same `transaction_id` were made by one transaction.
    """

    SCOPE = ScopeWays(customer="customer_id", unit="storage_unit_id")
    APPEND_ONLY = True

    class Action(models.TextChoices):
        CREATED = "created", "created"
        CHANGED = "changed", "changed"
        DELETED = "deleted", "deleted"
        SIGNED_IN = "signed_in", "signed in"
        SIGN_IN_FAILED = "sign_in_failed", "sign-in failed"
        SIGNED_OUT = "signed_out", "signed out"
        EXPORTED = "exported", "exported"
        REPORTED = "reported", "report created"
        IMPORTED = "imported", "imported"
        REPLAYED = "replayed", "replayed"
        SIGNED = "signed", "signed"
        SETTINGS = "settings", "settings changed"
        ARCHIVED = "archived", "archived"
        RESTORED = "restored", "restored"

    class ActorKind(models.TextChoices):
        PERSON = "person", "person"
        TOKEN = "token", "token"
        PROCESS = "process", "process"
        ANONYMOUS = "anonymous", "not signed in"
        DATABASE = "database", "database user"

    class Origin(models.TextChoices):
        PAGE = "page", "page"
        API = "api", "API"
        ADMIN = "admin", "admin"
        TASK = "task", "task"
        COMMAND = "command", "command"
        SQL = "sql", "SQL"

    id = models.BigAutoField(primary_key=True)
    happened_at = models.DateTimeField(help_text="By the database's clock.")
    action = models.CharField(max_length=20, choices=Action.choices)

    # Who.
    actor_kind = models.CharField(max_length=9, choices=ActorKind.choices)
    actor_id = models.IntegerField(null=True, help_text="Of the account or the token.")
    actor_name = models.CharField(max_length=LONGEST_NAME, help_text="User name, token, process or database user.")
    actor_display_name = models.CharField(max_length=LONGEST_NAME, blank=True, help_text="At the time.")

    # From where.
    origin = models.CharField(max_length=7, choices=Origin.choices)
    process = models.CharField(
        max_length=LONGEST_NAME, blank=True, help_text="The route of a request, the name of a task or command."
    )
    address = models.GenericIPAddressField(null=True, help_text="Of the client.")
    request_id = models.UUIDField(null=True)
    database_user = models.CharField(max_length=63)

    # What.
    model = models.CharField(max_length=100, blank=True, help_text="Such as customers.storageunit.")
    object_id = models.CharField(max_length=200, blank=True)
    object_label = models.CharField(max_length=LONGEST_NAME, blank=True, help_text="Its name at the time.")
    customer_id = models.IntegerField(null=True)
    storage_unit_id = models.IntegerField(null=True)
    person_id = models.IntegerField(null=True, help_text="The account it is about.")

    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    transaction_id = models.BigIntegerField()

    class Meta:
        db_table = "audit_entry"
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            # A customer's trail, newest first.
            models.Index(fields=["customer_id", "-id"], name="audit_entry_of_customer"),
            # The history tabs of units, and of single objects.
            models.Index(
                fields=["storage_unit_id", "-id"],
                name="audit_entry_of_unit",
                condition=models.Q(storage_unit_id__isnull=False),
            ),
            models.Index(fields=["model", "object_id", "-id"], name="audit_entry_of_object"),
            # A person's history: what is about them, and what they did.
            models.Index(
                fields=["person_id", "-id"],
                name="audit_entry_of_person",
                condition=models.Q(person_id__isnull=False),
            ),
            models.Index(
                fields=["actor_kind", "actor_id", "-id"],
                name="audit_entry_of_actor",
                condition=models.Q(actor_id__isnull=False),
            ),
            # Searches by time.
            models.Index(fields=["happened_at"], name="audit_entry_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.happened_at:%Y-%m-%d %H:%M:%S} {self.actor_name}: {self.action} {self.object_label}".rstrip()


class GivenUserName(models.Model):
    """A user name that an account has or had, so that no other account gets it. Written by a trigger on the accounts.

    `name`: in lower case and NFKC. An entry of the trail that names a person never means another one.
    """

    name = models.CharField(max_length=300, primary_key=True)
    user_id = models.IntegerField()

    class Meta:
        db_table = "given_user_name"

    def __str__(self) -> str:
        return self.name

    @classmethod
    def was_given(cls, user_name: str, *, to_other_than: int | None = None) -> bool:
        """Return whether an account other than this one has or ever had the name, in any case of its letters."""
        given = cls.objects.filter(name=unicodedata.normalize("NFKC", user_name).lower())
        return given.exclude(user_id=to_other_than).exists() if to_other_than is not None else given.exists()
