"""Create the tables of `ingestion` at once: what 10 migrations did one after the other, see decision 0024.

What the replaced migrations did to existing rows is not repeated, as a new database has none.
"""

import core.crypto.encrypted_field
import customers.models
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import ingestion.sources.credentials
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('ingestion', '0001_initial'),
        ('ingestion', '0002_delivery_store_seconds'),
        ('ingestion', '0003_source_units'),
        ('ingestion', '0004_wording'),
        ('ingestion', '0005_response_excerpt'),
        ('ingestion', '0006_source_schedule'),
        ('ingestion', '0007_other_customer_reason'),
        ('ingestion', '0008_notes_and_mapping_settings'),
        ('ingestion', '0009_reason_unknown_field'),
        ('ingestion', '0010_retired_sensor_reason'),
    ]

    initial = True

    dependencies = [
        ('customers', '0005_limits_in_force'),
    ]

    operations = [
        migrations.CreateModel(
            name='Source',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('readings_path', models.CharField(blank=True, help_text='JSON: dotted path of the list of readings. Leave empty to detect it.', max_length=200)),
                ('delimiter', models.CharField(blank=True, help_text='CSV: one character. Leave empty to detect it.', max_length=1)),
                ('decimal_mark', models.CharField(blank=True, help_text='“.” or “,”. Leave empty to detect it.', max_length=1)),
                ('encoding', models.CharField(blank=True, help_text='Leave empty for UTF-8 with Windows-1252 as fallback.', max_length=40)),
                ('skip_until_header', models.BooleanField(default=False, help_text='CSV: skip lines before the header.')),
                ('facility_field', models.CharField(blank=True, help_text="Field or column of the facility's code; “=text” is a constant.", max_length=100)),
                ('unit_field', models.CharField(blank=True, help_text="Field or column of the unit's code; “=text” is a constant.", max_length=100)),
                ('unit_name_field', models.CharField(blank=True, help_text="Field or column of the unit's name.", max_length=100)),
                ('sensor_field', models.CharField(blank=True, help_text="Field or column of the sensor's code; “=text” is a constant.", max_length=100)),
                ('time_field', models.CharField(blank=True, help_text='Field or column of the time; “=received” uses the time of the response.', max_length=100)),
                ('temperature_field', models.CharField(blank=True, help_text='Field or column of the temperature.', max_length=100)),
                ('scale_field', models.CharField(blank=True, help_text='Field or column of the scale; “=text” is a constant.', max_length=100)),
                ('quality_field', models.CharField(blank=True, help_text='Field or column of the quality score, 0 to 1.', max_length=100)),
                ('status_field', models.CharField(blank=True, help_text='Field or column of the equipment status.', max_length=100)),
                ('set_temperature_field', models.CharField(blank=True, help_text='Field or column of the set temperature.', max_length=100)),
                ('time_format', models.CharField(blank=True, help_text="For example %d/%m/%Y %H:%M, or excel for a spreadsheet's days. Leave empty for unambiguous common formats.", max_length=100)),
                ('time_zone', models.CharField(default='UTC', help_text='For times without an offset.', max_length=64, validators=[customers.models.validate_time_zone])),
                ('scale', models.CharField(blank=True, choices=[('C', '°C'), ('F', '°F'), ('K', 'K')], help_text='If no field or column title gives the scale.', max_length=1)),
                ('null_values', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), blank=True, default=list, help_text='Values that mean “no measurement”, separated by commas.', size=None)),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('ingestion_type', models.CharField(choices=[('api', 'JSON API'), ('csv', 'CSV download'), ('push', 'Push'), ('import', 'File import')], default='api', max_length=6)),
                ('is_paused', models.BooleanField(default=False)),
                ('url', models.CharField(blank=True, help_text='May contain {hours}, {hours:int}, {since}, {until} and {unit}. Leave empty for pushes and imports.', max_length=2000, verbose_name='URL')),
                ('structure_url', models.CharField(blank=True, help_text="Lists the customer's facilities and storage units.", max_length=2000, verbose_name='structure URL')),
                ('credentials_kind', models.CharField(choices=[('none', 'none'), ('basic', 'basic'), ('bearer', 'bearer'), ('header', 'header'), ('query', 'query')], default=ingestion.sources.credentials.CredentialsKind['NONE'], max_length=6)),
                ('credentials_name', models.CharField(blank=True, help_text='Name of the user, header or query parameter.', max_length=200)),
                ('credentials_secret', core.crypto.encrypted_field.EncryptedTextField(blank=True)),
                ('interval_seconds', models.PositiveIntegerField(default=300, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(604800)])),
                ('overlap_seconds', models.PositiveIntegerField(default=900, help_text='How far before the cursor each poll starts, to catch late rows.')),
                ('max_hours', models.PositiveIntegerField(default=168, help_text='The longest period the source returns per request.', validators=[django.core.validators.MinValueValidator(1)])),
                ('first_hours', models.PositiveIntegerField(default=24, help_text='The period requested by the first poll.')),
                ('registers_units', models.BooleanField(default=True, help_text='Register unknown facilities, units and sensors; otherwise their rows are rejected.', verbose_name='register new units')),
                ('default_facility_code', models.CharField(blank=True, help_text='For rows without a facility.', max_length=100)),
                ('default_unit_code', models.CharField(blank=True, help_text='For rows without a unit.', max_length=100)),
                ('unit_codes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), blank=True, default=list, help_text='The values of {unit} in the URL, separated by commas.', size=None)),
                ('facility_time_zone', models.CharField(default='UTC', help_text='For facilities registered by this source.', max_length=64, validators=[customers.models.validate_time_zone])),
                ('next_due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('claim_id', models.UUIDField(editable=False, null=True)),
                ('lease_until', models.DateTimeField(editable=False, null=True)),
                ('cursor_at', models.DateTimeField(editable=False, help_text='Everything up to this instant is stored.', null=True)),
                ('failures_in_a_row', models.PositiveIntegerField(default=0, editable=False)),
                ('last_polled_at', models.DateTimeField(editable=False, null=True)),
                ('last_duration_seconds', models.FloatField(default=0, editable=False)),
                ('last_success_at', models.DateTimeField(editable=False, null=True)),
                ('last_error', models.TextField(blank=True, editable=False)),
                ('structure_read_at', models.DateTimeField(editable=False, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sources', to='customers.customer')),
                ('date_field', models.CharField(blank=True, help_text="Field or column of the date, if the time's holds only the time of day.", max_length=100)),
                ('error_values', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), blank=True, db_default=models.Value([], output_field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None)), default=list, help_text='Numbers by which sensors report faults, separated by commas, for example 85, -127, 327.67, 999.9. Rows with them are rejected.', size=None)),
                ('factor', models.FloatField(db_default=1, default=1, help_text='Temperatures are multiplied by it.')),
                ('offset', models.FloatField(db_default=0, default=0, help_text='Added to temperatures, on the scale that was sent.')),
                ('row_filter', models.CharField(blank=True, help_text='Read only some rows, for example: _field = temperature, temp.', max_length=200)),
                ('several_temperatures', models.CharField(blank=True, choices=[('', 'Sensors of one unit'), ('units', 'Storage units')], help_text='What several temperature columns are.', max_length=7)),
                ('skips_without_temperature', models.BooleanField(db_default=False, default=False, help_text='Otherwise they are readings without a measurement.', verbose_name='skip rows without a temperature')),
            ],
            options={
                'db_table': 'source',
                'ordering': ['customer_id', 'name'],
                'indexes': [models.Index(condition=models.Q(('is_paused', False), models.Q(('url', ''), _negated=True)), fields=['next_due_at'], name='source_due')],
                'constraints': [models.UniqueConstraint(fields=('customer', 'name'), name='source_name_once_a_customer', violation_error_message='This customer already has a source with this name.'), models.CheckConstraint(condition=models.Q(('interval_seconds__range', (1, 604800)), ('max_hours__gte', 1)), name='source_interval_in_range')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('ingestion_type', models.CharField(choices=[('api', 'JSON API'), ('csv', 'CSV download'), ('push', 'Push'), ('import', 'File import')], max_length=6)),
                ('status', models.CharField(choices=[('success', 'Success'), ('partial', 'Partial'), ('failure', 'Failure')], max_length=7)),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField()),
                ('since', models.DateTimeField(help_text='Start of the requested period.', null=True)),
                ('until', models.DateTimeField(help_text='End of the requested period.', null=True)),
                ('records_processed', models.PositiveIntegerField(default=0)),
                ('records_stored', models.PositiveIntegerField(default=0)),
                ('records_duplicate', models.PositiveIntegerField(default=0)),
                ('records_conflicting', models.PositiveIntegerField(default=0)),
                ('records_rejected', models.PositiveIntegerField(default=0)),
                ('size_bytes', models.PositiveBigIntegerField(default=0)),
                ('source_url', models.TextField(blank=True, help_text='The URL without secrets, or the file name.')),
                ('error_reason', models.CharField(blank=True, max_length=40)),
                ('error_message', models.TextField(blank=True)),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='customers.customer')),
                ('source', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='deliveries', to='ingestion.source')),
                ('store_seconds', models.FloatField(db_default=0, default=0, help_text='Time taken to store the readings.')),
                ('response_excerpt', models.CharField(blank=True, db_default='', default='', help_text='The beginning of the response to a failed poll, without secrets.', max_length=300)),
                ('notes', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), blank=True, db_default=models.Value([], output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)), default=list, help_text='How the data was understood: what was assumed, passed over or looks suspicious.', size=None)),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'db_table': 'delivery',
                'ordering': ['-started_at', '-id'],
                'indexes': [models.Index(fields=['customer', '-started_at'], name='delivery_of_customer'), models.Index(fields=['source', '-started_at'], name='delivery_of_source'), models.Index(fields=['-started_at'], name='delivery_newest')],
                'constraints': [models.CheckConstraint(condition=models.Q(('records_processed', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('records_stored'), '+', models.F('records_duplicate')), '+', models.F('records_conflicting')), '+', models.F('records_rejected')))), name='delivery_counts_every_row_once')],
            },
        ),
        migrations.CreateModel(
            name='RejectedRow',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('row_number', models.PositiveIntegerField()),
                ('reason', models.CharField(choices=[('other_customer', "Another customer's row"), ('no_unit', 'No unit'), ('unknown_unit', 'Unknown unit'), ('unknown_facility', 'Unknown facility'), ('unknown_sensor', 'Unknown sensor'), ('retired_sensor', 'Retired sensor'), ('no_time', 'No time'), ('unreadable_time', 'Unreadable time'), ('future_time', 'Time in the future'), ('too_old', 'Too old'), ('clock_reset', 'Clock was reset'), ('skipped_hour', 'Time skipped by the clock change'), ('ambiguous_hour', 'Time repeated by the clock change'), ('no_temperature', 'No temperature'), ('not_a_number', 'Not a number'), ('not_finite', 'Not a finite number'), ('below_absolute_zero', 'Below absolute zero'), ('above_1000_c', 'Above 1,000 °C'), ('sensor_error', 'Sensor error'), ('unknown_scale', 'Unknown scale'), ('contradictory_scales', 'Contradictory scales'), ('unknown_quantity', 'Unknown quantity'), ('bad_quality', 'Invalid quality'), ('status_too_long', 'Status too long'), ('too_many_statuses', 'Too many different statuses'), ('code_too_long', 'Code too long'), ('not_text', 'Invalid characters'), ('wrong_number_of_columns', 'Wrong number of columns'), ('cut_off', 'Incomplete row'), ('unknown_field', 'Unknown field'), ('not_an_object', 'Not an object'), ('html_instead_of_data', 'Web page instead of data'), ('invalid_json', 'Invalid JSON'), ('no_readings_list', 'No list of readings'), ('no_header', 'No header'), ('decimal_comma', 'Decimal commas between commas'), ('unsupported_file', 'Not a supported kind of file'), ('error_in_response', 'Error in the response'), ('incomplete_pages', 'Pages missing'), ('undecodable', 'Decoding failed'), ('too_large', 'Too large')], max_length=40)),
                ('message', models.TextField()),
                ('raw', models.TextField(help_text='The row as received.')),
                ('header', models.TextField(blank=True, help_text='The header line for the row.')),
                ('default_unit_code', models.CharField(blank=True, max_length=100)),
                ('fingerprint', models.BinaryField(max_length=32)),
                ('received_at', models.DateTimeField(help_text='When it was first received.')),
                ('seen_count', models.PositiveIntegerField(default=1, help_text='How often it was received.')),
                ('last_seen_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('replayed', 'Replayed'), ('dismissed', 'Dismissed')], default='waiting', max_length=9)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by', models.CharField(blank=True, max_length=200)),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='rejected_rows', to='customers.customer')),
                ('delivery', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='rejected_rows', to='ingestion.delivery')),
                ('source', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='rejected_rows', to='ingestion.source')),
            ],
            options={
                'db_table': 'rejected_row',
                'ordering': ['-received_at', '-id'],
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['customer', '-received_at'], name='rejected_row_waiting'), models.Index(condition=models.Q(('state', 'waiting')), fields=['-received_at'], name='rejected_row_waiting_of_all')],
                'constraints': [models.UniqueConstraint(fields=('customer', 'fingerprint'), name='rejected_row_kept_once')],
            },
        ),
        migrations.CreateModel(
            name='Conflict',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('recorded_at', models.DateTimeField()),
                ('temperature_c', models.FloatField(help_text='The temperature sent later.', null=True)),
                ('scale', models.CharField(choices=[('C', '°C'), ('F', '°F'), ('K', 'K')], max_length=1)),
                ('quality_score', models.FloatField()),
                ('equipment_status_id', models.SmallIntegerField()),
                ('stored_temperature_c', models.FloatField(help_text='The temperature stored at the time.', null=True)),
                ('received_at', models.DateTimeField(help_text='When it was first received.')),
                ('seen_count', models.PositiveIntegerField(default=1, help_text='How often it was received.')),
                ('last_seen_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('accepted', 'Accepted'), ('dismissed', 'Dismissed')], default='waiting', max_length=9)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by', models.CharField(blank=True, max_length=200)),
                ('sensor', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.sensor')),
                ('storage_unit', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='conflicts', to='customers.storageunit')),
                ('delivery', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='conflicts', to='ingestion.delivery')),
            ],
            options={
                'db_table': 'reading_conflict',
                'ordering': ['-received_at', '-id'],
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['-received_at'], name='conflict_waiting')],
                'constraints': [models.UniqueConstraint(fields=('storage_unit', 'recorded_at', 'sensor', 'temperature_c'), name='conflict_kept_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='SourceUnit',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='ingestion.source')),
                ('storage_unit', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.storageunit')),
            ],
            options={
                'db_table': 'source_unit',
                'constraints': [models.UniqueConstraint(fields=('source', 'storage_unit'), name='source_unit_once')],
            },
        ),
        migrations.CreateModel(
            name='SourceSchedule',
            fields=[
            ],
            options={
                'verbose_name': 'polling schedule',
                'proxy': True,
            },
            bases=('ingestion.source',),
        ),
    ]
