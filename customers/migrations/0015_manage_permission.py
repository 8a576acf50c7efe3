
import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def add_manage(apps, schema_editor):
    """Let tokens that could write do what `manage` covers from now on, and say how many there are."""
    tokens = apps.get_model('customers', 'ApiToken').objects
    count = tokens.filter(permissions__contains=['write']).exclude(permissions__contains=['manage']).update(
        permissions=models.Func(models.F('permissions'), models.Value('manage'), function='array_append')
    )
    check_now(schema_editor)
    if count:
        print(f'\n    Added the permission manage to {count:,} API tokens with write.', end='')


def remove_manage(apps, schema_editor):
    """Take `manage` from every token; one that carries nothing else can only be deleted."""
    tokens = apps.get_model('customers', 'ApiToken').objects
    tokens.filter(permissions=['manage']).delete()
    tokens.filter(permissions__contains=['manage']).update(
        permissions=models.Func(models.F('permissions'), models.Value('manage'), function='array_remove')
    )
    check_now(schema_editor)


def check_now(schema_editor):
    """Check the foreign keys of changed rows: PostgreSQL alters no table and adds no index while checks are pending."""
    schema_editor.execute('SET CONSTRAINTS ALL IMMEDIATE')


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0014_second_factor'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='apitoken',
            name='token_permissions_known',
        ),
        migrations.AddField(
            model_name='apitoken',
            name='created_by_token',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='created_tokens', to='customers.apitoken'),
        ),
        migrations.AlterField(
            model_name='apitoken',
            name='permissions',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read', 'read'), ('write', 'write'), ('manage', 'manage'), ('admin', 'admin')], max_length=6), size=None),
        ),
        migrations.AddConstraint(
            model_name='apitoken',
            constraint=models.CheckConstraint(condition=models.Q(('permissions__contained_by', ['read', 'write', 'manage', 'admin']), ('permissions__len__gte', 1)), name='token_permissions_known', violation_error_message='A token needs at least one of read, write, manage and admin.'),
        ),
        migrations.RunPython(add_manage, remove_manage),
    ]
