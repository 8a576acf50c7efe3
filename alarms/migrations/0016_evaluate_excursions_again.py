"""Have the excursions that are stored evaluated again, by today's definition of their metrics.

The background task `alarms.tasks.reevaluate` does that unit by unit after the update: what is left survives a restart,
and every unit that is done is logged. Alarms that were reported stay as they were.
"""

from django.db import migrations, models

REQUEST_ALL = """
INSERT INTO reevaluation AS waiting (storage_unit_id, since, reason)
SELECT storage_unit_id, min(started_at), 'update' FROM excursion GROUP BY storage_unit_id
ON CONFLICT (storage_unit_id) DO UPDATE SET since = least(waiting.since, excluded.since)
"""
REASONS = [("limits", "other limits apply"), ("update", "the definition changed with an update"), ("sensor", "a sensor was retired")]


class Migration(migrations.Migration):
    dependencies = [("alarms", "0015_alarm_signature")]

    operations = [
        migrations.AddField(
            "reevaluation",
            "reason",
            models.CharField(choices=REASONS, db_default="limits", default="limits", max_length=6),
        ),
        migrations.AlterField(
            "reevaluation",
            "since",
            models.DateTimeField(help_text="From when on the readings are evaluated again."),
        ),
        migrations.RunSQL(REQUEST_ALL, migrations.RunSQL.noop),
    ]
