"""Request a rebuild of the roll-ups of units in zones where midnight has occurred twice: their days changed."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def midnight_recurs(time_zone: str) -> bool:
    """Return whether clocks in the zone have shown midnight twice on any day that can have readings."""
    zone, midnight = ZoneInfo(time_zone), datetime(2000, 1, 1)
    while midnight.year < 2028:
        first, last = (midnight.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
        if first > last:
            return True
        midnight += timedelta(days=1)
    return False


def request_rebuilds(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Request a rebuild for each unit whose days may have had other boundaries before."""
    facilities = apps.get_model("customers", "Facility").objects
    units = apps.get_model("customers", "StorageUnit").objects
    rebuilds = apps.get_model("readings", "RollupRebuild")
    zones = facilities.order_by().values_list("time_zone", flat=True).distinct()
    affected = units.filter(facility__time_zone__in=[zone for zone in zones if midnight_recurs(zone)])
    rebuilds.objects.bulk_create(
        [rebuilds(storage_unit_id=unit_id) for unit_id in affected.values_list("pk", flat=True)],
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0006_wording"),
        ("readings", "0005_wording"),
    ]

    operations = [migrations.RunPython(request_rebuilds, migrations.RunPython.noop)]
