"""Create the tables of `alarms` at once: what 16 migrations did one after the other, see decision 0024.

What the replaced migrations did to existing rows is not repeated, as a new database has none.
"""

import core.crypto.encrypted_field
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.constraints
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
import uuid
from importlib import import_module
from django.conf import settings
from django.db import migrations, models

VIEW_WITHOUT_VERSIONS = import_module(
    "readings.migrations.0001_squashed_0012_make_reading_partition"
).CREATE_LIMIT_PERIOD


def of_version(name: str, without_version: str) -> str:
    return f"CASE WHEN version.id IS NULL THEN {without_version} ELSE version.{name} END AS {name}"


# The first version applies to everything before it, too. A unit without versions has the limits of its columns.
# The subqueries read one entry of the index on unit and validity. Without joins or window functions beyond the one,
# PostgreSQL merges the view into the statement that uses it and looks up single units.
VIEW = f"""
CREATE OR REPLACE VIEW limit_period AS
SELECT unit.id AS storage_unit_id,
    CASE WHEN EXISTS (
        SELECT FROM limit_version AS earlier
        WHERE earlier.storage_unit_id = version.storage_unit_id AND earlier.valid_from < version.valid_from
            AND earlier.superseded_at IS NULL
    ) THEN version.valid_from ELSE '-infinity' END AS valid_from,
    coalesce((
        SELECT min(later.valid_from) FROM limit_version AS later
        WHERE later.storage_unit_id = version.storage_unit_id AND later.valid_from > version.valid_from
            AND later.superseded_at IS NULL
    ), 'infinity') AS valid_until,
    {of_version("low_critical_c", "unit.low_critical_c")},
    {of_version("low_warning_c", "unit.low_warning_c")},
    {of_version("high_warning_c", "unit.high_warning_c")},
    {of_version("high_critical_c", "unit.high_critical_c")},
    {of_version("is_inclusive", "unit.is_limit_outside")},
    {of_version("gap_limit_seconds", "coalesce(unit.gap_limit_seconds, 3 * unit.interval_seconds)")},
    CASE WHEN version.id IS NULL THEN 'any' ELSE version.sensor_policy::text END AS sensor_policy,
    version.named_sensor_id,
    {of_version("is_low_critical_inclusive", "unit.is_low_critical_limit_outside")}
FROM storage_unit AS unit LEFT JOIN limit_version AS version
    ON version.storage_unit_id = unit.id AND version.superseded_at IS NULL
"""


class Migration(migrations.Migration):

    replaces = [
        ('alarms', '0001_initial'),
        ('alarms', '0002_notifications'),
        ('alarms', '0003_wording'),
        ('alarms', '0004_maintenance_index'),
        ('alarms', '0005_mkt_check_due_at'),
        ('alarms', '0006_critical_delays'),
        ('alarms', '0007_evaluation_failure'),
        ('alarms', '0008_clock_drift'),
        ('alarms', '0009_limit_period'),
        ('alarms', '0010_first_choice_of_limits'),
        ('alarms', '0011_inclusive_low_critical_limit'),
        ('alarms', '0012_budgets_of_one_side'),
        ('alarms', '0013_profiles_of_the_cdc'),
        ('alarms', '0014_low_critical_limit_of_units'),
        ('alarms', '0015_alarm_signature'),
        ('alarms', '0016_evaluate_excursions_again'),
    ]

    initial = True

    dependencies = [
        ('auth', '__first__'),
        ('customers', '0012_low_critical_limit_of_units'),
        ('readings', '0010_limit_period'),
    ]

    operations = [
        migrations.CreateModel(
            name='MktCheck',
            fields=[
                ('storage_unit', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='customers.storageunit')),
                ('since', models.DateTimeField(help_text='The earliest of the new readings.')),
                ('requested_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('due_at', models.DateTimeField(help_text='When the next window is over. Empty: at once.', null=True)),
            ],
            options={
                'db_table': 'mkt_check',
            },
        ),
        migrations.CreateModel(
            name='LimitProfile',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('low_critical_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='low critical, °C')),
                ('low_warning_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='low warning, °C')),
                ('high_warning_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='high warning, °C')),
                ('high_critical_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='high critical, °C')),
                ('is_inclusive', models.BooleanField(default=False, help_text='Of every limit.', verbose_name='treat a reading at the limit as outside')),
                ('high_delay_seconds', models.PositiveIntegerField(default=1800, validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='high warning delay, s')),
                ('low_delay_seconds', models.PositiveIntegerField(default=1800, validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='low warning delay, s')),
                ('clearing_margin_k', models.FloatField(default=0.0, help_text='How far within the limits the temperature must return before an excursion ends.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(50.0)], verbose_name='clearing margin, K')),
                ('clearing_delay_seconds', models.PositiveIntegerField(default=0, help_text='An excursion that recurs sooner than this continues, and its alarm is reopened.', validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='clearing delay, s')),
                ('allowed_seconds', models.PositiveIntegerField(blank=True, help_text='Total within the window below. Leave empty for no budget.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31622400)], verbose_name='allowed time outside, s')),
                ('allowed_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='budget window, s')),
                ('mkt_limit_c', models.FloatField(blank=True, help_text='Of the window below. Leave empty for no limit.', null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='MKT limit, °C')),
                ('mkt_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='MKT window, s')),
                ('is_around_set_temperature', models.BooleanField(default=False, help_text="Use the unit's set temperature plus and minus the deviations below instead of limits in °C.", verbose_name='relative to the set temperature')),
                ('warning_deviation_k', models.FloatField(blank=True, help_text='Leave blank for the default (±2 K).', null=True, validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(500.0)], verbose_name='warning deviation, K')),
                ('critical_deviation_k', models.FloatField(blank=True, help_text='Leave blank for the default (±5 K).', null=True, validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(500.0)], verbose_name='critical deviation, K')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=100, unique=True)),
                ('description', models.TextField(blank=True)),
                ('is_default', models.BooleanField(default=False, help_text='Applies to units without limits of their own.')),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('high_critical_delay_seconds', models.PositiveIntegerField(default=300, help_text='Since the critical limit was crossed. The warning delay applies if it ends sooner.', validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='high critical delay, s')),
                ('low_critical_delay_seconds', models.PositiveIntegerField(default=300, help_text='Since the critical limit was crossed. The warning delay applies if it ends sooner.', validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='low critical delay, s')),
                ('is_low_critical_inclusive', models.BooleanField(default=False, help_text="As in the WHO's limit of −0.5 °C. Requires a low warning limit above it.", verbose_name='treat a reading at the low critical limit as beyond it')),
                ('high_allowed_c', models.FloatField(blank=True, help_text='Leave empty for the lowest high limit.', null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='count as too warm only above, °C')),
                ('high_allowed_seconds', models.PositiveIntegerField(blank=True, help_text='As above, for being too warm alone. Leave empty for no budget.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31622400)], verbose_name='allowed time too warm, s')),
                ('high_allowed_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='budget window too warm, s')),
                ('low_allowed_c', models.FloatField(blank=True, help_text='Leave empty for the highest low limit.', null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='count as too cold only below, °C')),
                ('low_allowed_seconds', models.PositiveIntegerField(blank=True, help_text='As above, for being too cold alone. Leave empty for no budget.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31622400)], verbose_name='allowed time too cold, s')),
                ('low_allowed_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='budget window too cold, s')),
            ],
            options={
                'db_table': 'limit_profile',
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('is_default',), name='one_default_limit_profile', violation_error_message='Another profile is already the default.')],
            },
        ),
        migrations.CreateModel(
            name='LimitVersion',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('low_critical_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='low critical, °C')),
                ('low_warning_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='low warning, °C')),
                ('high_warning_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='high warning, °C')),
                ('high_critical_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='high critical, °C')),
                ('is_inclusive', models.BooleanField(default=False, help_text='Of every limit.', verbose_name='treat a reading at the limit as outside')),
                ('high_delay_seconds', models.PositiveIntegerField(default=1800, validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='high warning delay, s')),
                ('low_delay_seconds', models.PositiveIntegerField(default=1800, validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='low warning delay, s')),
                ('clearing_margin_k', models.FloatField(default=0.0, help_text='How far within the limits the temperature must return before an excursion ends.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(50.0)], verbose_name='clearing margin, K')),
                ('clearing_delay_seconds', models.PositiveIntegerField(default=0, help_text='An excursion that recurs sooner than this continues, and its alarm is reopened.', validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='clearing delay, s')),
                ('allowed_seconds', models.PositiveIntegerField(blank=True, help_text='Total within the window below. Leave empty for no budget.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31622400)], verbose_name='allowed time outside, s')),
                ('allowed_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='budget window, s')),
                ('mkt_limit_c', models.FloatField(blank=True, help_text='Of the window below. Leave empty for no limit.', null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='MKT limit, °C')),
                ('mkt_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='MKT window, s')),
                ('valid_from', models.DateTimeField()),
                ('gap_limit_seconds', models.PositiveIntegerField()),
                ('interval_seconds', models.PositiveIntegerField(help_text='The expected interval between readings.')),
                ('sensor_policy', models.CharField(choices=[('any', 'Any sensor outside limits'), ('mean', 'Mean of the sensors'), ('named', 'One reference sensor')], default='any', max_length=5)),
                ('named_sensor_id', models.IntegerField(null=True)),
                ('profile_name', models.CharField(help_text='The origin of the limits.', max_length=100)),
                ('changed_by', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('storage_unit', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='limit_versions', to='customers.storageunit')),
                ('high_critical_delay_seconds', models.PositiveIntegerField(default=300, help_text='Since the critical limit was crossed. The warning delay applies if it ends sooner.', validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='high critical delay, s')),
                ('low_critical_delay_seconds', models.PositiveIntegerField(default=300, help_text='Since the critical limit was crossed. The warning delay applies if it ends sooner.', validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='low critical delay, s')),
                ('is_provisional', models.BooleanField(default=False, help_text='Nobody has chosen limits: those of the default profile, which alert nobody.')),
                ('reason', models.TextField(blank=True, help_text='Why the limits apply to the past.')),
                ('superseded_at', models.DateTimeField(help_text='When other limits replaced these from their beginning.', null=True)),
                ('is_low_critical_inclusive', models.BooleanField(default=False, help_text="As in the WHO's limit of −0.5 °C. Requires a low warning limit above it.", verbose_name='treat a reading at the low critical limit as beyond it')),
                ('high_allowed_c', models.FloatField(blank=True, help_text='Leave empty for the lowest high limit.', null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='count as too warm only above, °C')),
                ('high_allowed_seconds', models.PositiveIntegerField(blank=True, help_text='As above, for being too warm alone. Leave empty for no budget.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31622400)], verbose_name='allowed time too warm, s')),
                ('high_allowed_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='budget window too warm, s')),
                ('low_allowed_c', models.FloatField(blank=True, help_text='Leave empty for the highest low limit.', null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='count as too cold only below, °C')),
                ('low_allowed_seconds', models.PositiveIntegerField(blank=True, help_text='As above, for being too cold alone. Leave empty for no budget.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31622400)], verbose_name='allowed time too cold, s')),
                ('low_allowed_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='budget window too cold, s')),
            ],
            options={
                'db_table': 'limit_version',
                'ordering': ['storage_unit_id', 'valid_from'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('superseded_at', None)), fields=('storage_unit', 'valid_from'), name='limit_version_once_an_instant')],
            },
        ),
        migrations.CreateModel(
            name='Excursion',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('temperature', 'temperature'), ('budget', 'cumulative time'), ('budget_high', 'cumulative time too warm'), ('budget_low', 'cumulative time too cold'), ('mkt', 'mean kinetic temperature')], default='temperature', max_length=11)),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(help_text='First instant back within the limits. Empty while ongoing.', null=True)),
                ('clears_at', models.DateTimeField(help_text='When the clearing delay ends. Empty while ongoing.', null=True)),
                ('last_outside_at', models.DateTimeField(help_text='The newest reading outside the limits.')),
                ('severity', models.CharField(choices=[('warning', 'warning'), ('critical', 'critical')], max_length=8)),
                ('peak_c', models.FloatField(help_text='The temperature furthest beyond the limits, or the highest MKT.')),
                ('peak_at', models.DateTimeField()),
                ('area_kelvin_minutes', models.FloatField(default=0, help_text='Kelvin beyond the limit × minutes.')),
                ('outside_seconds', models.FloatField(default=0, help_text='Confirmed time outside.')),
                ('gap_seconds', models.FloatField(default=0, help_text='Time without data.')),
                ('mkt_c', models.FloatField(help_text='Mean kinetic temperature of the time with data.', null=True)),
                ('alarm_at', models.DateTimeField(help_text='The reading that completed the delay. Empty if none did.', null=True)),
                ('critical_alarm_at', models.DateTimeField(help_text='The reading that completed the delay beyond a critical limit.', null=True)),
                ('outside_pieces', models.JSONField(blank=True, default=list, help_text='Start and end of each confirmed period outside, in µs since 1970.')),
                ('progress', models.JSONField(blank=True, help_text='Detector state, so that the next reading continues from here.', null=True)),
                ('is_detected_late', models.BooleanField(default=False, help_text='It had ended, or had long begun, when its readings arrived.')),
                ('detected_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('storage_unit', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='excursions', to='customers.storageunit')),
                ('limit_version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='alarms.limitversion')),
                ('high_pieces', models.JSONField(blank=True, default=list, help_text='Of these, the periods that use up the budget for being too warm: furthest temperature, and when.')),
                ('low_pieces', models.JSONField(blank=True, default=list, help_text='Of these, the periods that use up the budget for being too cold: furthest temperature, and when.')),
            ],
            options={
                'db_table': 'excursion',
                'ordering': ['-started_at', '-id'],
                'indexes': [models.Index(condition=models.Q(('ended_at', None)), fields=['storage_unit'], name='excursion_lasting'), models.Index(fields=['storage_unit', 'clears_at'], name='excursion_clears'), models.Index(fields=['-started_at'], name='excursion_newest')],
                'constraints': [models.UniqueConstraint(deferrable=django.db.models.constraints.Deferrable['DEFERRED'], fields=('storage_unit', 'kind', 'started_at'), name='excursion_once_a_unit_kind_and_start')],
            },
        ),
        migrations.CreateModel(
            name='Alarm',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('temperature', 'temperature'), ('no_data', 'no data'), ('sensor_fault', 'sensor fault'), ('clock_drift', 'clock drift'), ('source_down', 'source down'), ('budget', 'cumulative time outside'), ('budget_high', 'cumulative time too warm'), ('budget_low', 'cumulative time too cold'), ('mkt', 'mean kinetic temperature')], max_length=12)),
                ('severity', models.CharField(choices=[('warning', 'warning'), ('critical', 'critical')], max_length=8)),
                ('state', models.CharField(choices=[('pending', 'pending'), ('open', 'open'), ('acknowledged', 'acknowledged'), ('closed', 'closed')], max_length=12)),
                ('source_key', models.UUIDField(help_text='The source that is down, by its public id.', null=True)),
                ('source_name', models.CharField(blank=True, max_length=300)),
                ('started_at', models.DateTimeField(help_text='When the condition began.')),
                ('ended_at', models.DateTimeField(help_text='When the condition ended. Empty while it is active.', null=True)),
                ('temperature_c', models.FloatField(help_text='The peak so far.', null=True)),
                ('recorded_at', models.DateTimeField(help_text='When the peak was measured.', null=True)),
                ('is_detected_late', models.BooleanField(default=False, help_text='The condition had ended when it was detected; no notifications are sent.')),
                ('is_withdrawn', models.BooleanField(default=False, help_text='Later readings show that the condition did not exist.')),
                ('reopened_count', models.PositiveIntegerField(default=0)),
                ('opened_at', models.DateTimeField(null=True)),
                ('acknowledged_at', models.DateTimeField(null=True)),
                ('acknowledged_by', models.CharField(blank=True, max_length=200)),
                ('acknowledgement', models.TextField(blank=True, verbose_name='acknowledgement comment')),
                ('closed_at', models.DateTimeField(null=True)),
                ('closed_by', models.CharField(blank=True, help_text='Empty if closed automatically.', max_length=200)),
                ('cause', models.TextField(blank=True)),
                ('corrective_action', models.TextField(blank=True)),
                ('reviewed_at', models.DateTimeField(help_text='When cause and corrective action were recorded.', null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='alarms', to='customers.customer')),
                ('sensor', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.sensor')),
                ('storage_unit', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='alarms', to='customers.storageunit')),
                ('suppressed_by', models.ForeignKey(help_text='The alarm that inhibits this one.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='suppressed', to='alarms.alarm')),
                ('excursion', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='alarms', to='alarms.excursion')),
            ],
            options={
                'db_table': 'alarm',
                'ordering': ['-started_at', '-id'],
                'indexes': [models.Index(fields=['customer', '-started_at'], name='alarm_of_customer'), models.Index(fields=['storage_unit', '-started_at'], name='alarm_of_unit'), models.Index(fields=['-started_at'], name='alarm_newest'), models.Index(condition=models.Q(('state', 'closed'), _negated=True), fields=['customer', 'kind'], name='alarm_live')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('kind', 'source_down'), ('source_key__isnull', False), ('storage_unit', None)), models.Q(models.Q(('kind', 'source_down'), _negated=True), ('storage_unit__isnull', False)), _connector='OR'), name='alarm_is_of_a_unit_or_a_source'), models.CheckConstraint(condition=models.Q(models.Q(('opened_at', None), ('state', 'pending')), models.Q(('state', 'pending'), _negated=True), _connector='OR'), name='alarm_pending_is_not_opened'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'acknowledged'), _negated=True), ('acknowledged_at__isnull', False), _connector='OR'), name='alarm_acknowledged_says_when'), models.UniqueConstraint(condition=models.Q(('kind', 'source_down'), models.Q(('state', 'closed'), _negated=True)), fields=('source_key',), name='one_live_alarm_a_source'), models.UniqueConstraint(condition=models.Q(('is_withdrawn', False)), fields=('excursion',), name='one_alarm_an_excursion'), models.UniqueConstraint(condition=models.Q(('kind__in', ['no_data', 'sensor_fault', 'clock_drift']), models.Q(('state', 'closed'), _negated=True)), fields=('storage_unit', 'kind', 'sensor'), name='one_live_alarm_a_unit_and_kind', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='AlarmEvent',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('opened', 'opened'), ('worsened', 'became critical'), ('ended', 'back within limits'), ('reopened', 'reopened'), ('acknowledged', 'acknowledged'), ('commented', 'commented'), ('closed', 'closed'), ('reviewed', 'cause and corrective action recorded'), ('suppressed', 'inhibited by another alarm'), ('released', 'no longer inhibited'), ('withdrawn', 'withdrawn')], max_length=12)),
                ('happened_at', models.DateTimeField()),
                ('by', models.CharField(blank=True, help_text='Empty for the system.', max_length=200)),
                ('text', models.TextField(blank=True)),
                ('alarm', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='alarms.alarm')),
            ],
            options={
                'db_table': 'alarm_event',
                'ordering': ['alarm_id', 'happened_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='MaintenanceWindow',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('reason', models.CharField(max_length=500)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='maintenance_windows', to='customers.customer')),
                ('facility', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.facility')),
                ('storage_unit', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.storageunit')),
            ],
            options={
                'db_table': 'maintenance_window',
                'ordering': ['-starts_at'],
                'indexes': [models.Index(fields=['ends_at'], name='maintenance_by_end')],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='maintenance_ends_after_it_starts', violation_error_message='The end must be after the start.')],
            },
        ),
        migrations.CreateModel(
            name='SensorFault',
            fields=[
                ('sensor', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='fault', serialize=False, to='customers.sensor')),
                ('since', models.DateTimeField(help_text='The first reading without a measurement after the last valid one.')),
                ('last_at', models.DateTimeField(help_text='The newest reading.')),
                ('storage_unit', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sensor_faults', to='customers.storageunit')),
            ],
            options={
                'db_table': 'sensor_fault',
            },
        ),
        migrations.CreateModel(
            name='UnitLimits',
            fields=[
                ('low_critical_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='low critical, °C')),
                ('low_warning_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='low warning, °C')),
                ('high_warning_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='high warning, °C')),
                ('high_critical_c', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='high critical, °C')),
                ('is_inclusive', models.BooleanField(default=False, help_text='Of every limit.', verbose_name='treat a reading at the limit as outside')),
                ('high_delay_seconds', models.PositiveIntegerField(default=1800, validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='high warning delay, s')),
                ('low_delay_seconds', models.PositiveIntegerField(default=1800, validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='low warning delay, s')),
                ('clearing_margin_k', models.FloatField(default=0.0, help_text='How far within the limits the temperature must return before an excursion ends.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(50.0)], verbose_name='clearing margin, K')),
                ('clearing_delay_seconds', models.PositiveIntegerField(default=0, help_text='An excursion that recurs sooner than this continues, and its alarm is reopened.', validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='clearing delay, s')),
                ('allowed_seconds', models.PositiveIntegerField(blank=True, help_text='Total within the window below. Leave empty for no budget.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31622400)], verbose_name='allowed time outside, s')),
                ('allowed_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='budget window, s')),
                ('mkt_limit_c', models.FloatField(blank=True, help_text='Of the window below. Leave empty for no limit.', null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='MKT limit, °C')),
                ('mkt_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='MKT window, s')),
                ('is_around_set_temperature', models.BooleanField(default=False, help_text="Use the unit's set temperature plus and minus the deviations below instead of limits in °C.", verbose_name='relative to the set temperature')),
                ('warning_deviation_k', models.FloatField(blank=True, help_text='Leave blank for the default (±2 K).', null=True, validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(500.0)], verbose_name='warning deviation, K')),
                ('critical_deviation_k', models.FloatField(blank=True, help_text='Leave blank for the default (±5 K).', null=True, validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(500.0)], verbose_name='critical deviation, K')),
                ('storage_unit', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='chosen_limits', serialize=False, to='customers.storageunit')),
                ('sensor_policy', models.CharField(choices=[('any', 'Any sensor outside limits'), ('mean', 'Mean of the sensors'), ('named', 'One reference sensor')], default='any', max_length=5)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('named_sensor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='customers.sensor')),
                ('profile', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='units', to='alarms.limitprofile')),
                ('high_critical_delay_seconds', models.PositiveIntegerField(default=300, help_text='Since the critical limit was crossed. The warning delay applies if it ends sooner.', validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='high critical delay, s')),
                ('low_critical_delay_seconds', models.PositiveIntegerField(default=300, help_text='Since the critical limit was crossed. The warning delay applies if it ends sooner.', validators=[django.core.validators.MaxValueValidator(2592000)], verbose_name='low critical delay, s')),
                ('is_low_critical_inclusive', models.BooleanField(default=False, help_text="As in the WHO's limit of −0.5 °C. Requires a low warning limit above it.", verbose_name='treat a reading at the low critical limit as beyond it')),
                ('high_allowed_c', models.FloatField(blank=True, help_text='Leave empty for the lowest high limit.', null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='count as too warm only above, °C')),
                ('high_allowed_seconds', models.PositiveIntegerField(blank=True, help_text='As above, for being too warm alone. Leave empty for no budget.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31622400)], verbose_name='allowed time too warm, s')),
                ('high_allowed_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='budget window too warm, s')),
                ('low_allowed_c', models.FloatField(blank=True, help_text='Leave empty for the highest low limit.', null=True, validators=[django.core.validators.MinValueValidator(-273.15), django.core.validators.MaxValueValidator(1000.0)], verbose_name='count as too cold only below, °C')),
                ('low_allowed_seconds', models.PositiveIntegerField(blank=True, help_text='As above, for being too cold alone. Leave empty for no budget.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31622400)], verbose_name='allowed time too cold, s')),
                ('low_allowed_window_seconds', models.PositiveIntegerField(default=86400, validators=[django.core.validators.MaxValueValidator(31622400)], verbose_name='budget window too cold, s')),
            ],
            options={
                'verbose_name_plural': 'unit limits',
                'db_table': 'unit_limits',
            },
        ),
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('email', 'E-mail'), ('webhook', 'Webhook'), ('apprise', 'Chat or SMS service')], max_length=7)),
                ('name', models.CharField(max_length=100)),
                ('address', models.CharField(blank=True, help_text="E-mail addresses, or the webhook's URL.", max_length=2000)),
                ('secret', core.crypto.encrypted_field.EncryptedTextField(blank=True)),
                ('previous_secret', core.crypto.encrypted_field.EncryptedTextField(blank=True, editable=False)),
                ('previous_secret_until', models.DateTimeField(editable=False, null=True)),
                ('messages_a_minute', models.PositiveSmallIntegerField(default=10, help_text='Excess messages are combined.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000)], verbose_name='messages per minute')),
                ('flap_minutes', models.PositiveSmallIntegerField(default=30, help_text='Repeated alarms of a unit within this time are counted in one message. 0 sends every alarm.', validators=[django.core.validators.MaxValueValidator(1440)], verbose_name='flap window, minutes')),
                ('is_enabled', models.BooleanField(default=True)),
                ('disabled_reason', models.CharField(blank=True, editable=False, max_length=500)),
                ('failures_in_a_row', models.PositiveIntegerField(default=0, editable=False)),
                ('last_error', models.CharField(blank=True, editable=False, max_length=500)),
                ('last_success_at', models.DateTimeField(editable=False, null=True)),
                ('last_duration_seconds', models.FloatField(editable=False, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='channels', to='customers.customer')),
            ],
            options={
                'db_table': 'channel',
                'ordering': ['customer_id', 'name'],
                'constraints': [models.UniqueConstraint(fields=('customer', 'name'), name='channel_name_once_a_customer', violation_error_message='This customer already has a channel with this name.'), models.CheckConstraint(condition=models.Q(('messages_a_minute__gte', 1)), name='channel_takes_a_message_a_minute')],
            },
        ),
        migrations.CreateModel(
            name='Drill',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('started_at', models.DateTimeField()),
                ('started_by', models.CharField(blank=True, help_text='Empty if started by the schedule.', max_length=200)),
                ('ended_at', models.DateTimeField(help_text='Empty while it is running.', null=True)),
                ('alarm', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='drills', to='alarms.alarm')),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='drills', to='customers.customer')),
            ],
            options={
                'db_table': 'drill',
                'ordering': ['-started_at'],
                'indexes': [models.Index(fields=['customer', '-started_at'], name='drill_of_customer')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('customer',), name='one_drill_at_a_time', violation_error_message='A drill for this customer is already running.')],
            },
        ),
        migrations.CreateModel(
            name='DrillSchedule',
            fields=[
                ('customer', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='drill_schedule', serialize=False, to='customers.customer')),
                ('every_days', models.PositiveSmallIntegerField()),
                ('next_due_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'drill_schedule',
                'constraints': [models.CheckConstraint(condition=models.Q(('every_days__range', (1, 366))), name='drill_every_days_to_a_year')],
            },
        ),
        migrations.CreateModel(
            name='Rule',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=100)),
                ('is_enabled', models.BooleanField(default=True)),
                ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('temperature', 'temperature'), ('no_data', 'no data'), ('sensor_fault', 'sensor fault'), ('clock_drift', 'clock drift'), ('source_down', 'source down'), ('budget', 'cumulative time outside'), ('budget_high', 'cumulative time too warm'), ('budget_low', 'cumulative time too cold'), ('mkt', 'mean kinetic temperature')], max_length=12), blank=True, default=list, size=None)),
                ('severities', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('warning', 'warning'), ('critical', 'critical')], max_length=8), blank=True, default=list, size=None)),
                ('weekdays', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(choices=[(0, 'Monday'), (1, 'Tuesday'), (2, 'Wednesday'), (3, 'Thursday'), (4, 'Friday'), (5, 'Saturday'), (6, 'Sunday')]), blank=True, default=list, size=None)),
                ('from_time', models.TimeField(blank=True, help_text='Local time at the facility. Leave both empty for around the clock.', null=True, verbose_name='from')),
                ('until_time', models.TimeField(blank=True, help_text='If earlier than “from”, the hours end on the next day.', null=True, verbose_name='until')),
                ('repeat_minutes', models.PositiveSmallIntegerField(blank=True, help_text='Until the alarm is acknowledged. Leave empty to notify once.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(10080)], verbose_name='repeat every, minutes')),
                ('escalate_minutes', models.PositiveSmallIntegerField(blank=True, help_text='Notifies the escalation channels if the alarm has not been acknowledged by then.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(10080)], verbose_name='escalate after, minutes')),
                ('tells_when_closed', models.BooleanField(default=True, help_text='Or withdrawn. Sent only to channels that received the alarm.', verbose_name='notify when closed')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('channels', models.ManyToManyField(blank=True, related_name='rules', to='alarms.channel')),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notification_rules', to='customers.customer')),
                ('escalation_channels', models.ManyToManyField(blank=True, related_name='escalated_rules', to='alarms.channel', verbose_name='escalate to')),
                ('facilities', models.ManyToManyField(blank=True, related_name='+', to='customers.facility')),
                ('units', models.ManyToManyField(blank=True, related_name='+', to='customers.storageunit')),
            ],
            options={
                'db_table': 'notification_rule',
                'ordering': ['customer_id', 'name'],
                'constraints': [models.UniqueConstraint(fields=('customer', 'name'), name='rule_name_once_a_customer', violation_error_message='This customer already has a rule with this name.'), models.CheckConstraint(condition=models.Q(models.Q(('from_time', None), ('until_time', None)), models.Q(('from_time__isnull', False), ('until_time__isnull', False)), _connector='OR'), name='rule_has_both_times_or_none', violation_error_message='Enter both times or neither.')],
            },
        ),
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('reason', models.CharField(choices=[('opened', 'opened'), ('worsened', 'became critical'), ('reopened', 'reopened'), ('released', 'no longer inhibited'), ('closed', 'closed'), ('withdrawn', 'withdrawn'), ('reminder', 'still open'), ('escalated', 'not acknowledged'), ('flapping', 'repeated alarms'), ('digest', 'digest'), ('test', 'test')], max_length=9)),
                ('sequence', models.PositiveIntegerField(default=0)),
                ('is_critical', models.BooleanField(default=False)),
                ('subject', models.CharField(max_length=300)),
                ('body', models.TextField()),
                ('data', models.JSONField(default=dict, help_text='The body of a webhook.')),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('sent', 'sent'), ('dead', 'not delivered'), ('folded', 'grouped')], default='waiting', max_length=7)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('tried_since', models.DateTimeField(default=django.utils.timezone.now, help_text='First due; given up three days later.')),
                ('next_attempt_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('claim_id', models.UUIDField(null=True)),
                ('claimed_at', models.DateTimeField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('attempt_count', models.PositiveIntegerField(default=0)),
                ('sent_at', models.DateTimeField(null=True)),
                ('alarm', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='alarms.alarm')),
                ('channel', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='alarms.channel')),
                ('event', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='alarms.alarmevent')),
                ('folded_into', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='folded', to='alarms.message')),
                ('rule', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='alarms.rule')),
            ],
            options={
                'db_table': 'message',
                'ordering': ['-created_at', '-id'],
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['next_attempt_at'], name='message_due'), models.Index(fields=['channel', '-claimed_at'], name='message_claimed'), models.Index(fields=['channel', '-created_at'], name='message_of_channel')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('sequence', 0), models.Q(('reason__in', ['escalated', 'flapping']), _negated=True)), fields=('event', 'channel'), name='message_once_an_event_and_channel'), models.UniqueConstraint(condition=models.Q(('reason', 'reminder')), fields=('event', 'rule', 'channel', 'sequence'), name='message_once_a_reminder'), models.UniqueConstraint(condition=models.Q(('reason', 'escalated')), fields=('event', 'channel'), name='message_once_an_escalation'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'sent'), _negated=True), ('sent_at__isnull', False), _connector='OR'), name='message_sent_says_when'), models.CheckConstraint(condition=models.Q(('folded_into', None), ('state', 'folded'), _connector='OR'), name='message_folded_says_so')],
            },
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('duration_seconds', models.FloatField()),
                ('outcome', models.CharField(choices=[('delivered', 'delivered'), ('failed', 'failed'), ('gone', 'gone')], max_length=9)),
                ('status_code', models.PositiveSmallIntegerField(help_text='Of HTTP or SMTP. Empty if there was none.', null=True)),
                ('answer', models.CharField(blank=True, max_length=500)),
                ('message', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attempts', to='alarms.message')),
            ],
            options={
                'db_table': 'message_attempt',
                'ordering': ['message_id', 'at'],
            },
        ),
        migrations.CreateModel(
            name='EvaluationFailure',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('part', models.CharField(choices=[('temperature', 'temperature excursions'), ('budget', 'cumulative time outside'), ('mkt', 'mean kinetic temperature'), ('sensor_fault', 'sensor faults')], max_length=12)),
                ('first_at', models.DateTimeField(help_text='The first reading that is not evaluated.')),
                ('last_at', models.DateTimeField(help_text='The last reading that is not evaluated.')),
                ('failed_at', models.DateTimeField(help_text='When it failed first.')),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('last_attempt_at', models.DateTimeField()),
                ('next_attempt_at', models.DateTimeField()),
                ('reason', models.CharField(help_text='The error of the last attempt in one line.', max_length=500)),
                ('error', models.TextField(help_text='The traceback of the last attempt.')),
                ('storage_unit', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='evaluation_failures', to='customers.storageunit')),
            ],
            options={
                'db_table': 'evaluation_failure',
                'ordering': ['failed_at', 'id'],
                'constraints': [models.UniqueConstraint(fields=('storage_unit', 'part'), name='evaluation_failure_once_a_unit_and_part')],
            },
        ),
        migrations.CreateModel(
            name='CustomerLimits',
            fields=[
                ('customer', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='limits', serialize=False, to='customers.customer')),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('profile', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='customers', to='alarms.limitprofile')),
            ],
            options={
                'verbose_name_plural': 'customer limits',
                'db_table': 'customer_limits',
            },
        ),
        migrations.CreateModel(
            name='Reevaluation',
            fields=[
                ('storage_unit', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='customers.storageunit')),
                ('since', models.DateTimeField(help_text='From when on the readings are evaluated again.')),
                ('requested_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('reason', models.CharField(choices=[('limits', 'other limits apply'), ('update', 'the definition changed with an update'), ('sensor', 'a sensor was retired')], db_default='limits', default='limits', max_length=6)),
            ],
            options={
                'db_table': 'reevaluation',
            },
        ),
        migrations.CreateModel(
            name='AlarmSignature',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('meaning', models.CharField(choices=[('reviewed', 'Reviewed'), ('approved', 'Approved'), ('responsible', 'Responsible')], max_length=11)),
                ('signer_id', models.IntegerField(help_text='Of the account.')),
                ('signer_user_name', models.CharField(max_length=150)),
                ('signer_name', models.CharField(help_text='The full name at the time.', max_length=300)),
                ('method', models.CharField(choices=[('password', 'password'), ('passkey', 'passkey')], help_text='What the signer entered again.', max_length=8)),
                ('signed_at', models.DateTimeField()),
                ('time_zone', models.CharField(help_text='IANA name of the zone in which the time is shown.', max_length=64)),
                ('record', models.TextField(help_text='What was signed, as canonical JSON.')),
                ('record_sha256', models.CharField(help_text='SHA-256 of the record, hexadecimal.', max_length=64)),
                ('alarm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='alarms.alarm')),
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='signature', to='alarms.alarmevent')),
            ],
            options={
                'db_table': 'alarm_signature',
                'ordering': ['alarm_id', 'signed_at', 'id'],
            },
        ),
        migrations.RunSQL(VIEW, "DROP VIEW limit_period; " + VIEW_WITHOUT_VERSIONS),
    ]
