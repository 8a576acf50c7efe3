"""Count how often in a row a file was begun to be read without an end, and mark those that are left out."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0022_accept_old_readings")]

    operations = [
        migrations.AddField(
            "sourcefile",
            "reads_begun",
            models.PositiveSmallIntegerField(db_default=0, default=0, help_text="In a row, since one ended or failed."),
        ),
        migrations.AlterField(
            "sourcefile",
            "state",
            models.CharField(
                choices=[("seen", "Seen"), ("loaded", "Loaded"), ("failed", "Failed"), ("left", "Left out")],
                max_length=6,
            ),
        ),
    ]
