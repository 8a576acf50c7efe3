"""Encrypt the secrets in the token URLs of sources; what remains in the column shows no secret."""

from typing import Any

from django.db import migrations

import core.crypto.encrypted_field
from core.crypto.redaction import has_redacted_part, redact_url


def hide_secrets(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("ingestion", "Source").objects
    for pk, url in rows.exclude(token_url="").values_list("pk", "token_url"):
        shown = redact_url(url)
        if has_redacted_part(shown) and not has_redacted_part(url):
            rows.filter(pk=pk).update(token_url=shown, token_url_secret=url)


def show_secrets(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("ingestion", "Source").objects
    for row in rows.only("pk", "token_url_secret"):
        if row.token_url_secret:
            rows.filter(pk=row.pk).update(token_url=row.token_url_secret.reveal())


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0019_mappings_of_imported_files")]

    operations = [
        migrations.AddField(
            "source",
            "token_url_secret",
            core.crypto.encrypted_field.EncryptedTextField(blank=True, db_default="", default="", editable=False),
        ),
        migrations.RunPython(hide_secrets, show_secrets),
    ]
