from django.db import migrations, models


class Migration(migrations.Migration):
    """Rename the model only: the table keeps its name, and the help texts are not stored in it."""

    dependencies = [
        ("temperature_site", "0001_queue_sign"),
    ]

    operations = [
        migrations.RenameModel(old_name="QueueSign", new_name="QueueHeartbeat"),
        migrations.AlterField(
            model_name="queueheartbeat",
            name="seen_at",
            field=models.DateTimeField(help_text="When the main loop of a worker of this queue last ran."),
        ),
        migrations.AlterField(
            model_name="queueheartbeat",
            name="ran_at",
            field=models.DateTimeField(
                help_text="When a worker of this queue last started, or ran a heartbeat task."
            ),
        ),
    ]
