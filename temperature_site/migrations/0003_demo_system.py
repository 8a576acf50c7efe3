import re

import django.db.models.functions.datetime
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

DEMO_CODES = "ABCDEFGHIJ"
SIMULATED = re.compile(r"http://localhost:(\d+)/(temperature/current|data/download\.csv)\?hours=")


def record_loaded_demo(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Record that the demo was loaded, and the simulator's first port, where one of its sources tells."""
    sources = apps.get_model("ingestion", "Source").objects.filter(name="simulator")
    for url, code in sources.values_list("url", "customer__customer_code"):
        address = SIMULATED.match(url)
        if address and code in list(DEMO_CODES):
            port = int(address[1]) - DEMO_CODES.index(code)
            apps.get_model("temperature_site", "DemoSystem").objects.create(simulator_port=port)
            return


class Migration(migrations.Migration):
    dependencies = [
        ("temperature_site", "0002_queue_heartbeat"),
        ("customers", "0001_initial"),
        ("ingestion", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="DemoSystem",
            fields=[
                ("only", models.BooleanField(default=True, editable=False, primary_key=True, serialize=False)),
                (
                    "simulator_port",
                    models.PositiveIntegerField(help_text="First port of the simulator at the last start."),
                ),
                ("loaded_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "demo_system",
                "constraints": [models.CheckConstraint(condition=models.Q(("only", True)), name="one_demo_system")],
            },
        ),
        migrations.RunPython(record_loaded_demo, migrations.RunPython.noop),
    ]
