import django.db.models.deletion
from django.db import migrations, models

CREATE_VIEW = """
CREATE VIEW reading_list AS
SELECT storage_unit_id || '-' || sensor_id || '-' || (extract(epoch FROM recorded_at) * 1000000)::bigint AS id,
    storage_unit_id, recorded_at, sensor_id, temperature_c, quality_score, equipment_status_id, scale, created_at
FROM reading
"""


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0001_initial'),
        ('readings', '0002_rollup_rebuild'),
    ]

    operations = [
        migrations.RunSQL(CREATE_VIEW, "DROP VIEW reading_list"),
        migrations.CreateModel(
            name='ListedReading',
            fields=[
                ('recorded_at', models.DateTimeField()),
                ('temperature_c', models.FloatField(help_text='Empty: the sensor answered without a measurement.', null=True)),
                ('quality_score', models.FloatField(default=1.0, help_text='0 to 1')),
                ('scale', models.CharField(choices=[('C', '°C'), ('F', '°F'), ('K', 'K')], help_text='The scale it was reported in.', max_length=1)),
                ('id', models.TextField(primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'reading',
                'db_table': 'reading_list',
                'ordering': ['-storage_unit_id', '-recorded_at', '-sensor_id'],
                'managed': False,
            },
        ),
    ]
