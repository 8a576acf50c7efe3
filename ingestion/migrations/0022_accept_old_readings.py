"""Let mappings accept readings from years ago."""

from django.db import migrations, models

HELP = "Store readings from years ago, which otherwise wait for review: the device's clock may have been reset."


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0021_source_polls_begun")]

    operations = [
        migrations.AddField(
            model, "accepts_old_readings", models.BooleanField(db_default=False, default=False, help_text=HELP)
        )
        for model in ("source", "importfile", "savedmapping")
    ]
