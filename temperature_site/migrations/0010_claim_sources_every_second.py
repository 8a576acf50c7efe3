"""Claim due sources every second where that is still done every five seconds, as it was declared before."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NAME = "Send due sources"


def claim_every_second(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the entry an interval of a second, unless somebody has chosen another than five seconds."""
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    entries = apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(
        name=NAME, interval__every=5, interval__period="seconds"
    )
    if entries.exists():
        second = intervals.filter(every=1, period="seconds").first() or intervals.create(every=1, period="seconds")
        entries.update(interval=second)


class Migration(migrations.Migration):
    dependencies = [
        ("temperature_site", "0009_system_problem"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(claim_every_second, migrations.RunPython.noop)]
