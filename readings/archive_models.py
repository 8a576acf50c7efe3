"""Which months of readings are in files, and in which; see `readings.storage.archive`."""

from __future__ import annotations

from django.db import models


class ArchivedMonth(models.Model):
    """A month of UTC that is archived, was restored, or could not be archived.

    version: increases with every change of where the month's readings are, so that a query can tell that it was changed
    meanwhile.
    """

    month = models.DateField(primary_key=True, help_text="Its first day.")
    is_archived = models.BooleanField(default=False)
    version = models.IntegerField(default=0)
    changed_at = models.DateTimeField(null=True, help_text="When its readings were last archived or restored.")
    restored_until = models.DateTimeField(null=True, help_text="It is not archived again before.")
    problem = models.TextField(blank=True, help_text="Why it could not be archived, empty if it could.")
    failed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "archived_month"
        ordering = ["-month"]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class ArchiveFile(models.Model):
    """A file with the readings of a month of all units from one id to another.

    The files of a month together cover all ids. A replaced one remains for a while, for backups that were begun before.
    """

    id = models.BigAutoField(primary_key=True)
    month = models.ForeignKey(ArchivedMonth, on_delete=models.CASCADE, related_name="files")
    first_unit_id = models.IntegerField()
    last_unit_id = models.IntegerField()
    name = models.CharField(max_length=200, unique=True, help_text="Its name in the storage.")
    byte_count = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, help_text="Of the file.")
    unit_count = models.IntegerField(help_text="Units with readings in it.")
    reading_count = models.BigIntegerField()
    fault_count = models.BigIntegerField(help_text="Readings without a measurement.")
    sum_ninth_micro_c = models.BigIntegerField(
        help_text="Sum of the temperatures in ninths of a millionth of a degree Celsius."
    )
    written_at = models.DateTimeField()
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "archive_file"
        ordering = ["month", "first_unit_id"]

    def __str__(self) -> str:
        return self.name


class RecalledUnit(models.Model):
    """A unit whose readings of an archived month are back in the table: what the file holds of it is void."""

    pk = models.CompositePrimaryKey("month", "storage_unit_id")
    month = models.ForeignKey(ArchivedMonth, on_delete=models.CASCADE, related_name="recalled_units")
    storage_unit_id = models.IntegerField()

    class Meta:
        db_table = "recalled_unit"

    def __str__(self) -> str:
        return f"{self.month_id:%Y-%m}: {self.storage_unit_id}"
