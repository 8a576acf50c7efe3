"""Create the tables of `customers` at once: what 17 migrations did one after the other, see decision 0024.

What the replaced migrations did to existing rows is not repeated, as a new database has none.
"""

import customers.models
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('customers', '0001_initial'),
        ('customers', '0002_token_use'),
        ('customers', '0003_sign_in_tries'),
        ('customers', '0004_token_is_limited_to_units'),
        ('customers', '0005_limits_in_force'),
        ('customers', '0006_wording'),
        ('customers', '0007_labels'),
        ('customers', '0008_provisional_limits'),
        ('customers', '0009_invitation'),
        ('customers', '0010_requires_reason'),
        ('customers', '0011_known_address'),
        ('customers', '0012_low_critical_limit_of_units'),
        ('customers', '0013_requires_signatures'),
        ('customers', '0014_second_factor'),
        ('customers', '0015_manage_permission'),
        ('customers', '0016_submission'),
        ('customers', '0017_retired_sensors_and_clock_drift'),
    ]

    initial = True

    dependencies = [
        ('auth', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='Customer',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('customer_code', models.CharField(max_length=100, unique=True, validators=[django.core.validators.RegexValidator('^[^\\x00-\\x1f\\x7f]+$', 'A code must be printable text.')])),
                ('name', models.CharField(max_length=200)),
                ('data_sharing_method', models.CharField(choices=[('api', 'JSON API'), ('csv', 'CSV download'), ('push', 'push')], default='api', max_length=4)),
                ('data_frequency_seconds', models.PositiveIntegerField(default=300, validators=[django.core.validators.MinValueValidator(1)])),
                ('api_url', models.CharField(blank=True, max_length=2000, verbose_name='API URL')),
                ('is_active', models.BooleanField(default=True, help_text='Sources of inactive customers are paused, and their people and tokens are denied access.')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('requires_reason', models.BooleanField(db_default=False, default=False, help_text='People and tokens must state a reason for changes of limits, for deletions and the like.', verbose_name='require a reason for changes')),
                ('requires_signatures', models.BooleanField(db_default=False, default=False, help_text='Whoever acknowledges or closes an alarm signs it with their password.', verbose_name='require signatures on alarms')),
                ('requires_second_factor', models.BooleanField(db_default=False, default=False, help_text='People have no access until they have set up an authenticator app or a passkey.')),
                ('max_clock_drift_seconds', models.PositiveIntegerField(blank=True, help_text="By how much sensors' clocks may be wrong without an alarm. Leave blank for the system's setting.", null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='allowed clock drift, s')),
            ],
            options={
                'db_table': 'customer',
                'ordering': ['customer_code'],
            },
        ),
        migrations.CreateModel(
            name='Facility',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('facility_code', models.CharField(max_length=100, validators=[django.core.validators.RegexValidator('^[^\\x00-\\x1f\\x7f]+$', 'A code must be printable text.')])),
                ('name', models.CharField(blank=True, max_length=200)),
                ('city', models.CharField(blank=True, max_length=200)),
                ('country', models.CharField(blank=True, max_length=200)),
                ('latitude', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-90), django.core.validators.MaxValueValidator(90)])),
                ('longitude', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-180), django.core.validators.MaxValueValidator(180)])),
                ('time_zone', models.CharField(default='UTC', help_text='IANA name, such as Europe/London.', max_length=64, validators=[customers.models.validate_time_zone])),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='facilities', to='customers.customer')),
            ],
            options={
                'verbose_name_plural': 'facilities',
                'db_table': 'facility',
                'ordering': ['customer_id', 'facility_code'],
                'constraints': [models.UniqueConstraint(fields=('customer', 'facility_code'), name='facility_code_once_a_customer', violation_error_message='This customer already has a facility with this code.')],
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('viewer', 'viewer'), ('operator', 'operator'), ('manager', 'manager')], default='viewer', max_length=8)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='customers.customer')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'membership',
                'ordering': ['customer_id', 'user_id'],
                'constraints': [models.UniqueConstraint(fields=('user', 'customer'), name='membership_once_a_customer', violation_error_message='This person is already a member of this customer.')],
            },
        ),
        migrations.CreateModel(
            name='StorageUnit',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('unit_code', models.CharField(max_length=100, validators=[django.core.validators.RegexValidator('^[^\\x00-\\x1f\\x7f]+$', 'A code must be printable text.')])),
                ('name', models.CharField(blank=True, max_length=200)),
                ('size_value', models.FloatField(blank=True, null=True)),
                ('size_unit', models.CharField(blank=True, max_length=20)),
                ('set_temperature', models.FloatField(blank=True, help_text="In the unit's own scale.", null=True)),
                ('temperature_unit', models.CharField(choices=[('C', '°C'), ('F', '°F'), ('K', 'K')], default='C', max_length=1, verbose_name='scale')),
                ('equipment_type', models.CharField(blank=True, max_length=100)),
                ('interval_seconds', models.PositiveIntegerField(default=900, help_text='How often a reading is expected.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(604800)])),
                ('gap_limit_seconds', models.PositiveIntegerField(blank=True, help_text='How long a reading is valid if no other follows. Leave blank for three intervals.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(2592000)])),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('facility', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='units', to='customers.facility')),
                ('high_critical_c', models.FloatField(editable=False, null=True)),
                ('high_warning_c', models.FloatField(editable=False, null=True)),
                ('is_limit_outside', models.BooleanField(db_default=False, default=False, editable=False, help_text='A temperature exactly at a limit is outside.')),
                ('is_synthetic', models.BooleanField(db_default=False, default=False, editable=False, help_text='Made for alarm drills; it holds no goods.')),
                ('low_critical_c', models.FloatField(editable=False, null=True)),
                ('low_warning_c', models.FloatField(editable=False, null=True)),
                ('has_provisional_limits', models.BooleanField(db_default=False, default=False, editable=False, help_text='Nobody has chosen limits, so nobody is alerted.')),
                ('is_low_critical_limit_outside', models.BooleanField(db_default=False, default=False, editable=False, help_text='A temperature exactly at the low critical limit is.')),
            ],
            options={
                'db_table': 'storage_unit',
                'ordering': ['facility_id', 'unit_code'],
                'constraints': [models.UniqueConstraint(fields=('facility', 'unit_code'), name='unit_code_once_a_facility', violation_error_message='This facility already has a storage unit with this code.'), models.CheckConstraint(condition=models.Q(('interval_seconds__range', (1, 604800)), models.Q(('gap_limit_seconds__isnull', True), ('gap_limit_seconds__range', (1, 2592000)), _connector='OR')), name='unit_interval_and_gap_limit_in_range')],
            },
        ),
        migrations.CreateModel(
            name='Sensor',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sensor_code', models.CharField(blank=True, max_length=100)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('storage_unit', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sensors', to='customers.storageunit')),
                ('retired_at', models.DateTimeField(blank=True, editable=False, help_text='From when on the sensor does not count. Empty while it does.', null=True)),
            ],
            options={
                'db_table': 'sensor',
                'ordering': ['storage_unit_id', 'sensor_code'],
                'constraints': [models.UniqueConstraint(fields=('storage_unit', 'sensor_code'), name='sensor_code_once_a_unit', violation_error_message='This storage unit already has a sensor with this code.')],
            },
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('token_name', models.CharField(max_length=200)),
                ('prefix', models.CharField(editable=False, help_text='The first characters, for recognition.', max_length=12)),
                ('token_hash', models.CharField(editable=False, max_length=64, unique=True)),
                ('permissions', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read', 'read'), ('write', 'write'), ('manage', 'manage'), ('admin', 'admin')], max_length=6), size=None)),
                ('rate_limit_per_hour', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('created_by', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to='customers.customer')),
                ('accessible_units', models.ManyToManyField(blank=True, help_text='The only units this token may see. Leave empty for all.', related_name='+', to='customers.storageunit')),
                ('is_limited_to_units', models.BooleanField(default=False, editable=False)),
                ('created_by_token', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='created_tokens', to='customers.apitoken')),
            ],
            options={
                'verbose_name': 'API token',
                'db_table': 'api_token',
                'ordering': ['customer_id', '-created_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('permissions__contained_by', ['read', 'write', 'manage', 'admin']), ('permissions__len__gte', 1)), name='token_permissions_known', violation_error_message='A token needs at least one of read, write, manage and admin.')],
            },
        ),
        migrations.CreateModel(
            name='TokenUse',
            fields=[
                ('token', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='customers.apitoken')),
                ('hour', models.DateTimeField()),
                ('request_count', models.PositiveIntegerField()),
            ],
            options={
                'db_table': 'token_use',
            },
        ),
        migrations.CreateModel(
            name='SignInTries',
            fields=[
                ('who', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('ends_at', models.DateTimeField()),
                ('try_count', models.PositiveIntegerField()),
            ],
            options={
                'db_table': 'sign_in_tries',
                'indexes': [models.Index(fields=['ends_at'], name='sign_in_tries_over')],
            },
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('email', models.EmailField(max_length=150, verbose_name='e-mail address')),
                ('role', models.CharField(choices=[('viewer', 'viewer'), ('operator', 'operator'), ('manager', 'manager')], default='viewer', max_length=8)),
                ('secret_hash', models.CharField(editable=False, max_length=64, unique=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('expires_at', models.DateTimeField(editable=False)),
                ('sent_at', models.DateTimeField(editable=False, help_text='When the link was last sent by mail.', null=True)),
                ('outcome', models.CharField(blank=True, choices=[('accepted', 'accepted'), ('declined', 'declined'), ('withdrawn', 'withdrawn')], editable=False, max_length=9)),
                ('ended_at', models.DateTimeField(editable=False, null=True)),
                ('accepted_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='customers.customer')),
                ('invited_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'invitation',
                'ordering': ['-created_at'],
                'constraints': [models.UniqueConstraint(models.F('customer'), django.db.models.functions.text.Lower('email'), condition=models.Q(('outcome', '')), name='one_open_invitation_an_address', violation_error_message='This address is already invited.')],
            },
        ),
        migrations.CreateModel(
            name='KnownAddress',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.CharField(max_length=64)),
                ('address', models.CharField(max_length=64)),
                ('used_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'known_address',
                'indexes': [models.Index(fields=['used_at'], name='known_address_used')],
                'constraints': [models.UniqueConstraint(fields=('account', 'address'), name='known_address_once_an_account')],
            },
        ),
        migrations.CreateModel(
            name='KnownDevice',
            fields=[
                ('id', models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('device_hash', models.CharField(max_length=64)),
                ('used_at', models.DateTimeField()),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'known_device',
                'constraints': [models.UniqueConstraint(fields=('user', 'device_hash'), name='known_device_once_an_account')],
            },
        ),
        migrations.CreateModel(
            name='Submission',
            fields=[
                ('key', models.UUIDField(primary_key=True, serialize=False)),
                ('submitted_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'submission',
                'indexes': [models.Index(fields=['submitted_at'], name='submission_over')],
            },
        ),
    ]
