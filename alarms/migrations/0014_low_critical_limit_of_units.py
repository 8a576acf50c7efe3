"""Show in the view of limits over time, and on units, whether the low critical limit alone is inclusive."""

from importlib import import_module

from django.db import migrations

VIEW_BEFORE = import_module("alarms.migrations.0010_first_choice_of_limits").VIEW_WITHOUT_SUPERSEDED
of_version = import_module("alarms.migrations.0009_limit_period").of_version

# A column can be added to a view without dropping it.
VIEW = VIEW_BEFORE.replace(
    "version.named_sensor_id",
    f"version.named_sensor_id, {of_version('is_low_critical_inclusive', 'unit.is_low_critical_limit_outside')}",
)
# What is in force now.
COPY_TO_UNITS = """
UPDATE storage_unit SET is_low_critical_limit_outside = true
WHERE (
    SELECT is_low_critical_inclusive FROM limit_version
    WHERE storage_unit_id = storage_unit.id AND superseded_at IS NULL ORDER BY valid_from DESC LIMIT 1
)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("alarms", "0013_profiles_of_the_cdc"),
        ("customers", "0012_low_critical_limit_of_units"),
    ]

    operations = [
        migrations.RunSQL(COPY_TO_UNITS, migrations.RunSQL.noop),
        migrations.RunSQL(VIEW, "DROP VIEW limit_period; " + VIEW_BEFORE),
    ]
