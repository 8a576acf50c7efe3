import django.db.models.deletion
from django.db import migrations, models

# With the rights of the owner of the tables, which the application's own role may not have; see
# make_reading_partition. What is dropped was detached before, by the first function.
CREATE = """
DO $do$
BEGIN
    EXECUTE format($text$
        CREATE OR REPLACE FUNCTION detach_reading_partition(name text, starts_at timestamptz, ends_at timestamptz)
        RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = %I, pg_temp AS $$
        BEGIN
            IF name !~ '^reading_[0-9]{4}_[0-9]{2}$' THEN
                RAISE EXCEPTION 'A partition of readings can not be named %%.', name;
            END IF;
            EXECUTE format('ALTER TABLE reading DETACH PARTITION %%I', name);
            EXECUTE format('ALTER TABLE %%I RENAME TO %%I', name, name || '_archived');
            EXECUTE format('ALTER TABLE %%I RENAME CONSTRAINT %%I TO %%I',
                name || '_archived', name || '_pkey', name || '_archived_pkey');
            PERFORM make_reading_partition(name, starts_at, ends_at);
        END
        $$
    $text$, current_schema());
    EXECUTE format($text$
        CREATE OR REPLACE FUNCTION drop_detached_partition(name text)
        RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = %I, pg_temp AS $$
        BEGIN
            IF name !~ '^reading_[0-9]{4}_[0-9]{2}_archived$' THEN
                RAISE EXCEPTION 'A detached partition of readings can not be named %%.', name;
            END IF;
            EXECUTE format('DROP TABLE IF EXISTS %%I', name);
        END
        $$
    $text$, current_schema());
END
$do$
"""
DROP = """
DROP FUNCTION detach_reading_partition(text, timestamptz, timestamptz);
DROP FUNCTION drop_detached_partition(text)
"""


class Migration(migrations.Migration):
    dependencies = [("readings", "0014_vacuum_partitions_as_they_fill")]

    operations = [
        migrations.CreateModel(
            name="ArchivedMonth",
            fields=[
                ("month", models.DateField(help_text="Its first day.", primary_key=True, serialize=False)),
                ("is_archived", models.BooleanField(default=False)),
                ("version", models.IntegerField(default=0)),
                ("changed_at", models.DateTimeField(help_text="When its readings were last archived or restored.", null=True)),
                ("restored_until", models.DateTimeField(help_text="It is not archived again before.", null=True)),
                ("problem", models.TextField(blank=True, help_text="Why it could not be archived, empty if it could.")),
                ("failed_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "archived_month", "ordering": ["-month"]},
        ),
        migrations.CreateModel(
            name="ArchiveFile",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("first_unit_id", models.IntegerField()),
                ("last_unit_id", models.IntegerField()),
                ("name", models.CharField(help_text="Its name in the storage.", max_length=200, unique=True)),
                ("byte_count", models.BigIntegerField()),
                ("sha256", models.CharField(help_text="Of the file.", max_length=64)),
                ("unit_count", models.IntegerField(help_text="Units with readings in it.")),
                ("reading_count", models.BigIntegerField()),
                ("fault_count", models.BigIntegerField(help_text="Readings without a measurement.")),
                (
                    "sum_ninth_micro_c",
                    models.BigIntegerField(
                        help_text="Sum of the temperatures in ninths of a millionth of a degree Celsius."
                    ),
                ),
                ("written_at", models.DateTimeField()),
                ("replaced_at", models.DateTimeField(null=True)),
                (
                    "month",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="files", to="readings.archivedmonth"
                    ),
                ),
            ],
            options={"db_table": "archive_file", "ordering": ["month", "first_unit_id"]},
        ),
        migrations.CreateModel(
            name="RecalledUnit",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "month", "storage_unit_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("storage_unit_id", models.IntegerField()),
                (
                    "month",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recalled_units",
                        to="readings.archivedmonth",
                    ),
                ),
            ],
            options={"db_table": "recalled_unit"},
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
