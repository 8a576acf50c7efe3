"""Sum temperatures in ninths of a millionth of a degree, in which °F are whole numbers, too."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NAME = "sum_ninth_micro_c"


def request_rebuilds(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Request a rebuild for units read in °F, whose sums were rounded for each reading."""
    latest = apps.get_model("readings", "LatestReading").objects.filter(scale="F").values_list("pk", flat=True)
    rebuilds = apps.get_model("readings", "RollupRebuild")
    rebuilds.objects.bulk_create([rebuilds(storage_unit_id=pk) for pk in latest], ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("readings", "0007_future_readings")]

    operations = [
        *(migrations.RenameField(model, "sum_micro_c", NAME) for model in ("hourlyrollup", "dailyrollup")),
        *(
            migrations.AlterField(
                model,
                NAME,
                models.BigIntegerField(
                    default=0,
                    help_text="Sum of the temperatures in ninths of a millionth of a degree Celsius: "
                    "exact for all scales.",
                ),
            )
            for model in ("hourlyrollup", "dailyrollup")
        ),
        *(
            migrations.RunSQL(f"UPDATE {table} SET {NAME} = {NAME} * 9", f"UPDATE {table} SET {NAME} = {NAME} / 9")
            for table in ("hourly_rollup", "daily_rollup")
        ),
        migrations.RunPython(request_rebuilds, migrations.RunPython.noop),
    ]
