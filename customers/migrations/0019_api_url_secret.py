"""Encrypt the secrets in the API URLs of customers; what remains in the column shows no secret."""

from typing import Any

from django.db import migrations

import core.crypto.encrypted_field
from core.crypto.redaction import has_redacted_part, redact_url


def hide_secrets(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("customers", "Customer").objects
    for pk, url in rows.exclude(api_url="").values_list("pk", "api_url"):
        shown = redact_url(url)
        if has_redacted_part(shown) and not has_redacted_part(url):
            rows.filter(pk=pk).update(api_url=shown, api_url_secret=url)


def show_secrets(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("customers", "Customer").objects
    for row in rows.only("pk", "api_url_secret"):
        if row.api_url_secret:
            rows.filter(pk=row.pk).update(api_url=row.api_url_secret.reveal())


class Migration(migrations.Migration):
    dependencies = [("customers", "0018_token_of_a_source")]

    operations = [
        migrations.AddField(
            "customer",
            "api_url_secret",
            core.crypto.encrypted_field.EncryptedTextField(blank=True, db_default="", default="", editable=False),
        ),
        migrations.RunPython(hide_secrets, show_secrets),
    ]
