"""Create the tables of `temperature_site` at once: what 5 migrations did one after the other, see decision 0024.

What the replaced migrations did to existing rows is not repeated, as a new database has none.
"""

import django.db.models.functions.datetime
from django.db import migrations, models

# As `createcachetable` would create it.
CREATE_CACHE = """
CREATE TABLE cache_entry (
    cache_key varchar(255) NOT NULL PRIMARY KEY,
    value text NOT NULL,
    expires timestamp with time zone NOT NULL
);
CREATE INDEX cache_entry_expires ON cache_entry (expires);
"""


class Migration(migrations.Migration):

    replaces = [
        ('temperature_site', '0001_queue_sign'),
        ('temperature_site', '0002_queue_heartbeat'),
        ('temperature_site', '0003_demo_system'),
        ('temperature_site', '0004_forwarded_headers'),
        ('temperature_site', '0005_cache'),
    ]

    initial = True

    dependencies = [
        ('customers', '0001_initial'),
        ('ingestion', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='QueueHeartbeat',
            fields=[
                ('queue', models.CharField(max_length=100, primary_key=True, serialize=False)),
                ('seen_at', models.DateTimeField(help_text='When the main loop of a worker of this queue last ran.')),
                ('ran_at', models.DateTimeField(help_text='When a worker of this queue last started, or ran a heartbeat task.')),
            ],
            options={
                'db_table': 'queue_sign',
            },
        ),
        migrations.CreateModel(
            name='DemoSystem',
            fields=[
                ('only', models.BooleanField(default=True, editable=False, primary_key=True, serialize=False)),
                ('simulator_port', models.PositiveIntegerField(help_text='First port of the simulator at the last start.')),
                ('loaded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'demo_system',
                'constraints': [models.CheckConstraint(condition=models.Q(('only', True)), name='one_demo_system')],
            },
        ),
        migrations.CreateModel(
            name='ForwardedHeaders',
            fields=[
                ('only', models.BooleanField(default=True, editable=False, primary_key=True, serialize=False)),
                ('seen_at', models.DateTimeField(help_text='When a request with such headers last arrived.')),
            ],
            options={
                'db_table': 'forwarded_headers',
                'constraints': [models.CheckConstraint(condition=models.Q(('only', True)), name='one_row_of_forwarded_headers')],
            },
        ),
        migrations.RunSQL(CREATE_CACHE, "DROP TABLE cache_entry"),
    ]
