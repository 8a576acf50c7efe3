"""The table of Django's database cache, as `createcachetable` would create it."""

from django.db import migrations

CREATE = """
CREATE TABLE cache_entry (
    cache_key varchar(255) NOT NULL PRIMARY KEY,
    value text NOT NULL,
    expires timestamp with time zone NOT NULL
);
CREATE INDEX cache_entry_expires ON cache_entry (expires);
"""


class Migration(migrations.Migration):

    dependencies = [
        ("temperature_site", "0004_forwarded_headers"),
    ]

    operations = [
        migrations.RunSQL(CREATE, "DROP TABLE cache_entry"),
    ]
