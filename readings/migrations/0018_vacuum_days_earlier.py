from django.db import migrations

# Of a thousand units 5,000 dead rows are more than the table has, and double its size.
SET = "ALTER TABLE daily_rollup SET (autovacuum_vacuum_threshold = 1000)"
RESET = "ALTER TABLE daily_rollup SET (autovacuum_vacuum_threshold = 5000)"


class Migration(migrations.Migration):
    dependencies = [("readings", "0017_reading_count")]

    operations = [migrations.RunSQL(SET, RESET)]
