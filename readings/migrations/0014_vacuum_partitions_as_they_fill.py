from django.db import migrations

# Readings are inserted and hardly ever changed. A vacuum after each twentieth of growth freezes what it finds at once, so
# that a whole table need never be frozen later, and keeps index-only scans from visiting it.
FILLING = (
    "autovacuum_freeze_min_age = 0, autovacuum_vacuum_insert_threshold = 100000,"
    " autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05"
)
# In the schema of the tables, so that a temporary table named like one of them is not taken for it.
MAKE = """
DO $do$
BEGIN
    EXECUTE format($text$
        CREATE OR REPLACE FUNCTION make_reading_partition(name text, starts_at timestamptz, ends_at timestamptz)
        RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = %I, pg_temp AS $$
        BEGIN
            IF name !~ '^reading_[0-9]{4}_[0-9]{2}$' THEN
                RAISE EXCEPTION 'A partition of readings can not be named %%.', name;
            END IF;
            EXECUTE format(
                'CREATE TABLE %%I (LIKE reading INCLUDING DEFAULTS INCLUDING CONSTRAINTS) @options@', name
            );
            EXECUTE format(
                'ALTER TABLE reading ATTACH PARTITION %%I FOR VALUES FROM (%%L) TO (%%L)', name, starts_at, ends_at
            );
        END
        $$
    $text$, current_schema());
END
$do$
"""
# The last rows of a month are vacuumed, and frozen, without waiting for a twentieth more.
CLOSE = """
DO $do$
BEGIN
    EXECUTE format($text$
        CREATE OR REPLACE FUNCTION close_reading_partition(name text)
        RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = %I, pg_temp AS $$
        BEGIN
            IF name !~ '^reading_[0-9]{4}_[0-9]{2}$' THEN
                RAISE EXCEPTION 'No partition of readings is named %%.', name;
            END IF;
            EXECUTE format(
                'ALTER TABLE %%I SET (autovacuum_vacuum_insert_threshold = 0, autovacuum_vacuum_insert_scale_factor = 0)',
                name
            );
        END
        $$
    $text$, current_schema());
END
$do$
"""
SET_EXISTING = f"""
DO $$
DECLARE partition regclass;
BEGIN
    FOR partition IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'reading'::regclass LOOP
        EXECUTE format('ALTER TABLE %s SET ({FILLING})', partition);
    END LOOP;
END
$$
"""
# They hold all of history and only the last days are updated: a fifth of the table, the default, would be days of dead rows.
SET_ROLLUPS = """
ALTER TABLE hourly_rollup SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
ALTER TABLE daily_rollup SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
ALTER TABLE latest_reading SET (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000);
"""
RESET_ROLLUPS = """
ALTER TABLE hourly_rollup RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
ALTER TABLE daily_rollup RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
ALTER TABLE latest_reading RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
"""


class Migration(migrations.Migration):
    dependencies = [("readings", "0013_future_reading_list")]

    operations = [
        migrations.RunSQL(MAKE.replace("@options@", f"WITH ({FILLING})"), MAKE.replace("@options@", "")),
        migrations.RunSQL(CLOSE, "DROP FUNCTION close_reading_partition(text)"),
        migrations.RunSQL(SET_EXISTING, migrations.RunSQL.noop),
        migrations.RunSQL(SET_ROLLUPS, RESET_ROLLUPS),
    ]
