"""Create the index of deliveries by their content, while deliveries are logged."""

from django.db import migrations, models

CREATE = [
    # Versions before the first release created it in 0014, and an attempt that was interrupted leaves an invalid one.
    "DROP INDEX CONCURRENTLY IF EXISTS delivery_of_content",
    "CREATE INDEX CONCURRENTLY delivery_of_content ON delivery (source_id, content_hash) WHERE NOT content_hash = ''",
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ingestion", "0024_request_body_secret")]

    operations = [
        migrations.RunSQL(
            CREATE,
            "DROP INDEX CONCURRENTLY delivery_of_content",
            state_operations=[
                migrations.AddIndex(
                    "delivery",
                    models.Index(
                        fields=["source", "content_hash"],
                        name="delivery_of_content",
                        condition=~models.Q(content_hash=""),
                    ),
                )
            ],
        )
    ]
