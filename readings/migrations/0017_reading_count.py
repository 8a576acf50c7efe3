import django.db.models.deletion
from django.db import migrations, models

# Fires for days of which readings may have been counted; see `readings.reading_counts`.
TRIGGERS = """
CREATE OR REPLACE FUNCTION delete_reading_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM reading_count WHERE storage_unit_id = coalesce(NEW.storage_unit_id, OLD.storage_unit_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER day_added AFTER INSERT ON daily_rollup FOR EACH ROW
    WHEN (NEW.local_date < CURRENT_DATE - 10 AND NEW.reading_count <> 0) EXECUTE FUNCTION delete_reading_count();
CREATE TRIGGER day_changed AFTER UPDATE ON daily_rollup FOR EACH ROW
    WHEN (OLD.local_date < CURRENT_DATE - 10 AND NEW.reading_count <> OLD.reading_count)
    EXECUTE FUNCTION delete_reading_count();
CREATE TRIGGER day_deleted AFTER DELETE ON daily_rollup FOR EACH ROW
    WHEN (OLD.local_date < CURRENT_DATE - 10 AND OLD.reading_count <> 0) EXECUTE FUNCTION delete_reading_count();
"""
NO_TRIGGERS = """
DROP TRIGGER day_added ON daily_rollup;
DROP TRIGGER day_changed ON daily_rollup;
DROP TRIGGER day_deleted ON daily_rollup;
DROP FUNCTION delete_reading_count();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0019_api_url_secret"),
        ("readings", "0016_attempts"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReadingCount",
            fields=[
                (
                    "storage_unit",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="customers.storageunit",
                    ),
                ),
                ("before", models.DateField(help_text="The first date at the facility that is not counted.")),
                ("reading_count", models.BigIntegerField()),
            ],
            options={"db_table": "reading_count"},
        ),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
