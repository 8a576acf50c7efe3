from django.db import migrations

# In the schema of the tables, so that a temporary table named like one of them is not taken for it.
CREATE = """
DO $do$
BEGIN
    EXECUTE format($text$
        CREATE OR REPLACE FUNCTION make_reading_partition(name text, starts_at timestamptz, ends_at timestamptz)
        RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = %I, pg_temp AS $$
        BEGIN
            IF name !~ '^reading_[0-9]{4}_[0-9]{2}$' THEN
                RAISE EXCEPTION 'A partition of readings can not be named %%.', name;
            END IF;
            EXECUTE format('CREATE TABLE %%I (LIKE reading INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
            EXECUTE format(
                'ALTER TABLE reading ATTACH PARTITION %%I FOR VALUES FROM (%%L) TO (%%L)', name, starts_at, ends_at
            );
        END
        $$
    $text$, current_schema());
END
$do$
"""
DROP = "DROP FUNCTION make_reading_partition(text, timestamptz, timestamptz)"


class Migration(migrations.Migration):
    dependencies = [("readings", "0011_sealing_of_readings")]

    operations = [migrations.RunSQL(CREATE, DROP)]
