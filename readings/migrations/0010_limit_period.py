"""Create the view of limits over time, see `readings.storage.time_weighting`."""

from django.db import migrations

CREATE_VIEW = """
CREATE VIEW limit_period AS
SELECT id AS storage_unit_id, '-infinity'::timestamptz AS valid_from, 'infinity'::timestamptz AS valid_until,
    low_critical_c, low_warning_c, high_warning_c, high_critical_c, is_limit_outside AS is_inclusive,
    coalesce(gap_limit_seconds, 3 * interval_seconds) AS gap_limit_seconds,
    'any'::text AS sensor_policy, NULL::integer AS named_sensor_id
FROM storage_unit
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0007_labels"),
        ("readings", "0009_sensor_clocks"),
    ]

    operations = [migrations.RunSQL(CREATE_VIEW, "DROP VIEW limit_period")]
