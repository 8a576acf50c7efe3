"""What makes changes of readings and of the audit trail evident: the chain, the seals of days, and their time stamps.

All of it is written by the sealing task alone, see `seals.tasks`. Except for the checkpoint, rows are only ever added.
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from core.scope import ScopedModel, ScopedQuerySet, ScopeWays
from customers.models import Customer, StorageUnit
from readings.models import UNIT_WAYS
from seals.contents import Block, BlockKey, Branch, SealContent


class SettledCheckpoint(models.Model):
    """Up to where the trail and the readings are known to be complete; see `seals.checkpoint`. There is one row.

    No transaction that was running at `settled_at` is still running: every entry of the trail with an id of at most
    `settled_entry_id` is committed or will never be, and so is every reading that arrived before `settled_at`. The
    `pending` values are those of a checkpoint that still waits for the transactions before `pending_transaction_id`.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    started_at = models.DateTimeField(db_default=Now(), help_text="When sealing began: earlier days have no seals.")
    settled_at = models.DateTimeField(null=True)
    settled_entry_id = models.BigIntegerField(default=0)
    pending_at = models.DateTimeField(null=True)
    pending_entry_id = models.BigIntegerField(default=0)
    pending_transaction_id = models.BigIntegerField(default=0)

    class Meta:
        db_table = "seal_checkpoint"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_seal_checkpoint")]

    def __str__(self) -> str:
        return f"settled at {self.settled_at}"


class ChainLink(models.Model):
    """The link of one entry of the audit trail in the chain over all of them, in the order of their ids."""

    APPEND_ONLY = True

    position = models.BigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField(unique=True)
    customer_id = models.IntegerField(null=True, help_text="The customer of the entry.")
    entry_hash = models.BinaryField(max_length=32)
    chain_hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_chain_link"
        ordering = ["position"]
        # For the entries of a customer since its previous seal.
        indexes = [models.Index(fields=["customer_id", "position"], name="chain_link_of_customer")]

    def __str__(self) -> str:
        return f"{self.position}: entry {self.entry_id}"


class DaySeal(ScopedModel):
    """The seal of a closed day of one customer, or of what belongs to no customer: a link in that customer's chain.

    Its root is the hash of the previous seal's root and of `seals.contents.SealContent`. The days before the customer's
    sealing began are closed together: their seals have the same `closed_at`, and days without readings have none.
    """

    SCOPE = ScopeWays(customer="customer_id", unit=None)
    APPEND_ONLY = True

    id = models.BigAutoField(primary_key=True)
    customer = models.ForeignKey(
        Customer,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="day_seals",
        help_text="Empty for the trail of the system itself.",
    )
    sequence = models.IntegerField(help_text="1 for the customer's first seal.")
    day = models.DateField(help_text="The day, in UTC.")
    closed_at = models.DateTimeField(help_text="Readings that arrived before are in the seal of their day.")
    block_count = models.IntegerField()
    reading_count = models.BigIntegerField()
    blocks_root = models.BinaryField(max_length=32)
    revision_count = models.IntegerField()
    revisions_root = models.BinaryField(max_length=32)
    entry_count = models.IntegerField()
    entries_root = models.BinaryField(max_length=32)
    chain_position = models.BigIntegerField(help_text="The last link of the trail's chain that it covers.")
    chain_hash = models.BinaryField(max_length=32)
    previous_root = models.BinaryField(max_length=32)
    root = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "day_seal"
        ordering = ["customer_id", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["customer", "sequence"], nulls_distinct=False, name="one_seal_a_sequence"),
            models.UniqueConstraint(fields=["customer", "day"], nulls_distinct=False, name="one_seal_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.customer or 'the system'}, {self.day}"

    @property
    def content(self) -> SealContent:
        """What the root is computed from, besides the previous one."""
        return SealContent(
            customer_id=self.customer_id,
            sequence=self.sequence,
            day=self.day,
            closed_at=self.closed_at,
            reading_count=self.reading_count,
            blocks=Branch(self.block_count, bytes(self.blocks_root)),
            revisions=Branch(self.revision_count, bytes(self.revisions_root)),
            entries=Branch(self.entry_count, bytes(self.entries_root)),
            chain_position=self.chain_position,
            chain_hash=bytes(self.chain_hash),
        )

    @classmethod
    def of(cls, customer_id: int | None) -> ScopedQuerySet:
        """Return the seals of a customer, or of the system (None), in order."""
        return cls.objects.filter(models.Q(customer_id=customer_id)).order_by("sequence")


class ReadingBlock(ScopedModel):
    """The readings of one unit and day in a seal: those that arrived in time, or one late arrival.

    `root` is over the readings in order of time and sensor. `fingerprints` holds the first four bytes of each one's
    hash, so that verification can say which reading differs.
    """

    SCOPE = UNIT_WAYS
    APPEND_ONLY = True

    id = models.BigAutoField(primary_key=True)
    seal = models.ForeignKey(DaySeal, on_delete=models.PROTECT, related_name="blocks", db_index=False)
    position = models.IntegerField()
    storage_unit = models.ForeignKey(
        StorageUnit, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="reading_blocks"
    )
    day = models.DateField()
    arrived_at = models.DateTimeField(null=True, help_text="When late readings arrived; empty for those in time.")
    reading_count = models.IntegerField()
    root = models.BinaryField(max_length=32)
    fingerprints = models.BinaryField()

    class Meta:
        db_table = "reading_block"
        ordering = ["seal_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["seal", "position"], name="one_block_a_position"),
            # Also finds the blocks of a unit's day.
            models.UniqueConstraint(
                fields=["storage_unit", "day", "arrived_at"],
                nulls_distinct=False,
                name="one_block_a_unit_day_and_arrival",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.storage_unit_id}, {self.day}"

    @property
    def block(self) -> Block:
        """The block as it was sealed."""
        return Block(
            BlockKey(self.storage_unit_id, self.day, self.arrived_at),
            self.reading_count,
            bytes(self.root),
            bytes(self.fingerprints),
        )


class TimeStamp(models.Model):
    """The time stamp of an RFC 3161 service on a root over the seals from `first_seal_id` to `last_seal_id`."""

    APPEND_ONLY = True

    first_seal_id = models.BigIntegerField()
    last_seal_id = models.BigIntegerField(unique=True)
    root = models.BinaryField(max_length=32)
    token = models.BinaryField(help_text="The response of the service.")
    stamped_at = models.DateTimeField(help_text="The time that the service states.")
    service_url = models.CharField(max_length=2000)

    class Meta:
        db_table = "seal_time_stamp"
        ordering = ["last_seal_id"]

    def __str__(self) -> str:
        return f"seals {self.first_seal_id} to {self.last_seal_id} at {self.stamped_at:%Y-%m-%d %H:%M:%S}"
