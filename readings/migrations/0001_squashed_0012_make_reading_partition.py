"""Create the tables of `readings` at once: what 12 migrations did one after the other, see decision 0024.

What the replaced migrations did to existing rows is not repeated, as a new database has none.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# Django can't make partitioned tables. The columns stand widest first, so that no row holds padding.
CREATE_READING = """
CREATE TABLE reading (
    recorded_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    temperature_c double precision
        CONSTRAINT reading_temperature_possible CHECK (temperature_c BETWEEN -273.15 AND 1000),
    quality_score double precision NOT NULL
        CONSTRAINT reading_quality_between_0_and_1 CHECK (quality_score BETWEEN 0 AND 1),
    storage_unit_id integer NOT NULL,
    sensor_id integer NOT NULL,
    equipment_status_id smallint NOT NULL,
    scale varchar(1) NOT NULL CONSTRAINT reading_scale_known CHECK (scale IN ('C', 'F', 'K')),
    PRIMARY KEY (storage_unit_id, recorded_at, sensor_id)
) PARTITION BY RANGE (recorded_at)
"""
# Rows that are rewritten all day keep room on their page, so that an update needs no new index entries.
LEAVE_ROOM = """
ALTER TABLE latest_reading SET (fillfactor = 50);
ALTER TABLE hourly_rollup SET (fillfactor = 80);
ALTER TABLE daily_rollup SET (fillfactor = 80);
"""
# The ids below are those of the statuses that the roll-ups count; readings.equipment adds them.
KEEP_FIRST_IDS = "ALTER TABLE equipment_status ALTER COLUMN id RESTART WITH 100"
CREATE_READING_LIST = """
CREATE VIEW reading_list AS
SELECT storage_unit_id || '-' || sensor_id || '-' || (extract(epoch FROM recorded_at) * 1000000)::bigint AS id,
    storage_unit_id, recorded_at, sensor_id, temperature_c, quality_score, equipment_status_id, scale, created_at
FROM reading
"""
# Until `alarms` replaces it by one that shows the versions of limits.
CREATE_LIMIT_PERIOD = """
CREATE VIEW limit_period AS
SELECT id AS storage_unit_id, '-infinity'::timestamptz AS valid_from, 'infinity'::timestamptz AS valid_until,
    low_critical_c, low_warning_c, high_warning_c, high_critical_c, is_limit_outside AS is_inclusive,
    coalesce(gap_limit_seconds, 3 * interval_seconds) AS gap_limit_seconds,
    'any'::text AS sensor_policy, NULL::integer AS named_sensor_id
FROM storage_unit
"""
# In the schema of the tables, so that a temporary table named like one of them is not taken for it.
CREATE_MAKE_PARTITION = """
DO $do$
BEGIN
    EXECUTE format($text$
        CREATE OR REPLACE FUNCTION make_reading_partition(name text, starts_at timestamptz, ends_at timestamptz)
        RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = %I, pg_temp AS $$
        BEGIN
            IF name !~ '^reading_[0-9]{4}_[0-9]{2}$' THEN
                RAISE EXCEPTION 'A partition of readings can not be named %%.', name;
            END IF;
            EXECUTE format('CREATE TABLE %%I (LIKE reading INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
            EXECUTE format(
                'ALTER TABLE reading ATTACH PARTITION %%I FOR VALUES FROM (%%L) TO (%%L)', name, starts_at, ends_at
            );
        END
        $$
    $text$, current_schema());
END
$do$
"""
DROP_MAKE_PARTITION = "DROP FUNCTION make_reading_partition(text, timestamptz, timestamptz)"


class Migration(migrations.Migration):

    replaces = [
        ('readings', '0001_initial'),
        ('readings', '0002_rollup_rebuild'),
        ('readings', '0003_reading_list'),
        ('readings', '0004_configuration'),
        ('readings', '0005_wording'),
        ('readings', '0006_days_by_boundaries'),
        ('readings', '0007_future_readings'),
        ('readings', '0008_sums_exact_in_all_scales'),
        ('readings', '0009_sensor_clocks'),
        ('readings', '0010_limit_period'),
        ('readings', '0011_sealing_of_readings'),
        ('readings', '0012_make_reading_partition'),
    ]

    initial = True

    dependencies = [
        ('customers', '0008_provisional_limits'),
    ]

    operations = [
        migrations.CreateModel(
            name='EquipmentStatus',
            fields=[
                ('id', models.SmallAutoField(primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=32, unique=True)),
            ],
            options={
                'verbose_name_plural': 'equipment statuses',
                'db_table': 'equipment_status',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='LatestReading',
            fields=[
                ('recorded_at', models.DateTimeField()),
                ('temperature_c', models.FloatField(help_text='Empty if the sensor gave no measurement.', null=True)),
                ('quality_score', models.FloatField(default=1.0, help_text='0 to 1')),
                ('scale', models.CharField(choices=[('C', '°C'), ('F', '°F'), ('K', 'K')], help_text='The scale it was reported in.', max_length=1)),
                ('storage_unit', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='latest_reading', serialize=False, to='customers.storageunit')),
                ('created_at', models.DateTimeField()),
                ('equipment_status', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='readings.equipmentstatus')),
                ('sensor', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.sensor')),
            ],
            options={
                'db_table': 'latest_reading',
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE_READING, "DROP TABLE reading")],
            state_operations=[
                migrations.CreateModel(
                    name='Reading',
                    fields=[
                        ('recorded_at', models.DateTimeField()),
                        ('temperature_c', models.FloatField(help_text='Empty if the sensor gave no measurement.', null=True)),
                        ('quality_score', models.FloatField(default=1.0, help_text='0 to 1')),
                        ('scale', models.CharField(choices=[('C', '°C'), ('F', '°F'), ('K', 'K')], help_text='The scale it was reported in.', max_length=1)),
                        ('pk', models.CompositePrimaryKey('storage_unit', 'recorded_at', 'sensor', blank=True, editable=False, primary_key=True, serialize=False)),
                        ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ('equipment_status', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='readings.equipmentstatus')),
                        ('sensor', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.sensor')),
                        ('storage_unit', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='readings', to='customers.storageunit')),
                    ],
                    options={
                        'db_table': 'reading',
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name='DailyRollup',
            fields=[
                ('reading_count', models.IntegerField(default=0, help_text='All readings, including those without a measurement.')),
                ('fault_count', models.IntegerField(default=0, help_text='Readings without a measurement.')),
                ('normal_count', models.IntegerField(default=0)),
                ('warning_count', models.IntegerField(default=0)),
                ('error_count', models.IntegerField(default=0)),
                ('good_count', models.IntegerField(default=0, help_text='Readings with a quality of at least 0.8.')),
                ('min_c', models.FloatField(null=True)),
                ('max_c', models.FloatField(null=True)),
                ('sum_ninth_micro_c', models.BigIntegerField(default=0, help_text='Sum of the temperatures in ninths of a millionth of a degree Celsius: exact for all scales.')),
                ('weighted_seconds', models.FloatField(default=0, help_text="Σt: how long this sensor's measurements were valid.")),
                ('weighted_sum_c', models.FloatField(default=0, help_text='Σt·T in °C·s')),
                ('weighted_arrhenius', models.FloatField(default=0, help_text='Σt·exp(−10000/T) with T in kelvin')),
                ('covered_seconds', models.FloatField(default=0, help_text="Time covered by this sensor and no earlier one: adds up to the unit's coverage.")),
                ('is_settled', models.BooleanField(default=False)),
                ('pk', models.CompositePrimaryKey('storage_unit', 'local_date', 'sensor', blank=True, editable=False, primary_key=True, serialize=False)),
                ('local_date', models.DateField(help_text='The date at the facility, in its time zone.')),
                ('sensor', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.sensor')),
                ('storage_unit', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='daily_rollups', to='customers.storageunit')),
            ],
            options={
                'db_table': 'daily_rollup',
                'indexes': [models.Index(condition=models.Q(('is_settled', False)), fields=['storage_unit', 'local_date'], name='daily_rollup_unsettled')],
            },
        ),
        migrations.CreateModel(
            name='HourlyRollup',
            fields=[
                ('reading_count', models.IntegerField(default=0, help_text='All readings, including those without a measurement.')),
                ('fault_count', models.IntegerField(default=0, help_text='Readings without a measurement.')),
                ('normal_count', models.IntegerField(default=0)),
                ('warning_count', models.IntegerField(default=0)),
                ('error_count', models.IntegerField(default=0)),
                ('good_count', models.IntegerField(default=0, help_text='Readings with a quality of at least 0.8.')),
                ('min_c', models.FloatField(null=True)),
                ('max_c', models.FloatField(null=True)),
                ('sum_ninth_micro_c', models.BigIntegerField(default=0, help_text='Sum of the temperatures in ninths of a millionth of a degree Celsius: exact for all scales.')),
                ('weighted_seconds', models.FloatField(default=0, help_text="Σt: how long this sensor's measurements were valid.")),
                ('weighted_sum_c', models.FloatField(default=0, help_text='Σt·T in °C·s')),
                ('weighted_arrhenius', models.FloatField(default=0, help_text='Σt·exp(−10000/T) with T in kelvin')),
                ('covered_seconds', models.FloatField(default=0, help_text="Time covered by this sensor and no earlier one: adds up to the unit's coverage.")),
                ('is_settled', models.BooleanField(default=False)),
                ('pk', models.CompositePrimaryKey('storage_unit', 'hour', 'sensor', blank=True, editable=False, primary_key=True, serialize=False)),
                ('hour', models.DateTimeField(help_text='Start of the hour in UTC.')),
                ('sensor', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.sensor')),
                ('storage_unit', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='hourly_rollups', to='customers.storageunit')),
            ],
            options={
                'db_table': 'hourly_rollup',
                'indexes': [models.Index(condition=models.Q(('is_settled', False)), fields=['storage_unit', 'hour'], name='hourly_rollup_unsettled')],
            },
        ),
        migrations.CreateModel(
            name='RollupRebuild',
            fields=[
                ('storage_unit', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='customers.storageunit')),
                ('requested_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'rollup_rebuild',
            },
        ),
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
        migrations.CreateModel(
            name='ConfigurationEntry',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('value', models.JSONField()),
                ('description', models.TextField()),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'verbose_name_plural': 'configuration entries',
                'db_table': 'configuration',
            },
        ),
        migrations.CreateModel(
            name='FutureReading',
            fields=[
                ('recorded_at', models.DateTimeField()),
                ('temperature_c', models.FloatField(help_text='Empty if the sensor gave no measurement.', null=True)),
                ('quality_score', models.FloatField(default=1.0, help_text='0 to 1')),
                ('scale', models.CharField(choices=[('C', '°C'), ('F', '°F'), ('K', 'K')], help_text='The scale it was reported in.', max_length=1)),
                ('pk', models.CompositePrimaryKey('storage_unit', 'recorded_at', 'sensor', blank=True, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('equipment_status', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='readings.equipmentstatus')),
                ('sensor', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.sensor')),
                ('storage_unit', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='future_readings', to='customers.storageunit')),
            ],
            options={
                'db_table': 'future_reading',
                'indexes': [models.Index(fields=['recorded_at'], name='future_reading_due')],
            },
        ),
        migrations.CreateModel(
            name='SensorClock',
            fields=[
                ('sensor', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='clock', serialize=False, to='customers.sensor')),
                ('drift_seconds', models.FloatField(help_text='Positive if the clock is ahead, negative if it is behind.')),
                ('measured_at', models.DateTimeField(help_text='The newest arrival it was computed from.')),
                ('storage_unit', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sensor_clocks', to='customers.storageunit')),
            ],
            options={
                'db_table': 'sensor_clock',
            },
        ),
        migrations.CreateModel(
            name='LateReadings',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('day', models.DateField(help_text='The day, in UTC, that the readings are dated in.')),
                ('arrived_at', models.DateTimeField()),
                ('reading_count', models.IntegerField()),
                ('storage_unit', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='late_readings', to='customers.storageunit')),
            ],
            options={
                'verbose_name_plural': 'late readings',
                'db_table': 'late_readings',
                'indexes': [models.Index(fields=['storage_unit', 'arrived_at'], name='late_readings_of_unit')],
            },
        ),
        migrations.CreateModel(
            name='ReadingRevision',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('recorded_at', models.DateTimeField()),
                ('arrived_at', models.DateTimeField(help_text='When the reading arrived, its created_at.')),
                ('before_temperature_c', models.FloatField(null=True)),
                ('before_quality_score', models.FloatField()),
                ('before_equipment_status_id', models.SmallIntegerField()),
                ('before_scale', models.CharField(max_length=1)),
                ('after_temperature_c', models.FloatField(null=True)),
                ('after_quality_score', models.FloatField(null=True)),
                ('after_equipment_status_id', models.SmallIntegerField(null=True)),
                ('after_scale', models.CharField(blank=True, help_text='Empty if the reading was withdrawn.', max_length=1)),
                ('revised_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('by', models.CharField(max_length=200)),
                ('reason', models.TextField()),
                ('sensor', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.sensor')),
                ('storage_unit', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='reading_revisions', to='customers.storageunit')),
            ],
            options={
                'db_table': 'reading_revision',
                'ordering': ['id'],
                'indexes': [models.Index(fields=['storage_unit', 'recorded_at'], name='reading_revision_of_unit'), models.Index(fields=['revised_at'], name='reading_revision_made')],
            },
        ),
        migrations.RunSQL([KEEP_FIRST_IDS, LEAVE_ROOM], migrations.RunSQL.noop),
        migrations.RunSQL(CREATE_READING_LIST, "DROP VIEW reading_list"),
        migrations.RunSQL(CREATE_LIMIT_PERIOD, "DROP VIEW limit_period"),
        migrations.RunSQL(CREATE_MAKE_PARTITION, DROP_MAKE_PARTITION),
    ]
