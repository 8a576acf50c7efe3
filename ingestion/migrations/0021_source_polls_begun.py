"""Count how often in a row polls of a source have ended their worker."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0020_token_url_secret")]

    operations = [
        migrations.AddField(
            "source",
            "polls_begun",
            models.PositiveSmallIntegerField(
                db_default=0, default=0, editable=False, help_text="In a row, since one ended or failed."
            ),
        ),
    ]
