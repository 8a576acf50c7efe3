"""Create the view by which the admin lists future readings; rebuild the roll-ups of units with retired sensors."""

from django.db import migrations, models

CREATE_VIEW = """
CREATE VIEW future_reading_list AS
SELECT storage_unit_id || '-' || sensor_id || '-' || (extract(epoch FROM recorded_at) * 1000000)::bigint AS id,
    storage_unit_id, recorded_at, sensor_id, temperature_c, quality_score, equipment_status_id, scale, created_at
FROM future_reading
"""
# Their readings were valid until they went stale, also beyond the retirement.
REBUILD = """
INSERT INTO rollup_rebuild (storage_unit_id)
SELECT DISTINCT storage_unit_id FROM sensor WHERE retired_at IS NOT NULL
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0017_retired_sensors_and_clock_drift"),
        ("readings", "0012_make_reading_partition"),
    ]

    operations = [
        migrations.RunSQL(CREATE_VIEW, "DROP VIEW future_reading_list"),
        migrations.CreateModel(
            name="ListedFutureReading",
            fields=[
                ("recorded_at", models.DateTimeField()),
                ("temperature_c", models.FloatField(help_text="Empty if the sensor gave no measurement.", null=True)),
                ("quality_score", models.FloatField(default=1.0, help_text="0 to 1")),
                (
                    "scale",
                    models.CharField(
                        choices=[("C", "°C"), ("F", "°F"), ("K", "K")],
                        help_text="The scale it was reported in.",
                        max_length=1,
                    ),
                ),
                ("id", models.TextField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "future reading",
                "db_table": "future_reading_list",
                "ordering": ["recorded_at", "id"],
                "managed": False,
            },
        ),
        migrations.RunSQL(REBUILD, migrations.RunSQL.noop, elidable=True),
    ]
