"""Replace the view of limits over time by one with the versions of limits, see `readings.storage.time_weighting`.

The first version applies to everything before it, too. A unit without versions has the limits of its columns.
"""

from importlib import import_module

from django.db import migrations

CREATE_VIEW = import_module("readings.migrations.0010_limit_period").CREATE_VIEW


def of_version(name: str, without_version: str) -> str:
    return f"CASE WHEN version.id IS NULL THEN {without_version} ELSE version.{name} END AS {name}"


# The subqueries read one entry of the index on unit and validity. Without joins or window functions beyond the one,
# PostgreSQL merges the view into the statement that uses it and looks up single units.
REPLACE_VIEW = f"""
CREATE OR REPLACE VIEW limit_period AS
SELECT unit.id AS storage_unit_id,
    CASE WHEN EXISTS (
        SELECT FROM limit_version AS earlier
        WHERE earlier.storage_unit_id = version.storage_unit_id AND earlier.valid_from < version.valid_from
    ) THEN version.valid_from ELSE '-infinity' END AS valid_from,
    coalesce((
        SELECT min(later.valid_from) FROM limit_version AS later
        WHERE later.storage_unit_id = version.storage_unit_id AND later.valid_from > version.valid_from
    ), 'infinity') AS valid_until,
    {of_version("low_critical_c", "unit.low_critical_c")},
    {of_version("low_warning_c", "unit.low_warning_c")},
    {of_version("high_warning_c", "unit.high_warning_c")},
    {of_version("high_critical_c", "unit.high_critical_c")},
    {of_version("is_inclusive", "unit.is_limit_outside")},
    {of_version("gap_limit_seconds", "coalesce(unit.gap_limit_seconds, 3 * unit.interval_seconds)")},
    CASE WHEN version.id IS NULL THEN 'any' ELSE version.sensor_policy::text END AS sensor_policy,
    version.named_sensor_id
FROM storage_unit AS unit LEFT JOIN limit_version AS version ON version.storage_unit_id = unit.id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("alarms", "0008_clock_drift"),
        ("readings", "0010_limit_period"),
    ]

    operations = [migrations.RunSQL(REPLACE_VIEW, CREATE_VIEW.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))]
