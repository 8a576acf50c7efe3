"""Encrypt the secrets in the addresses of webhooks; what remains in the column shows no secret."""

from typing import Any

from django.db import migrations

import core.crypto.encrypted_field
from core.crypto.redaction import has_redacted_part, redact_path


def hide_secrets(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("alarms", "Channel").objects
    for pk, url in rows.exclude(address="").values_list("pk", "address"):
        shown = redact_path(url)
        if has_redacted_part(shown) and not has_redacted_part(url):
            rows.filter(pk=pk).update(address=shown, address_secret=url)


def show_secrets(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("alarms", "Channel").objects
    for row in rows.only("pk", "address_secret"):
        if row.address_secret:
            rows.filter(pk=row.pk).update(address=row.address_secret.reveal())


class Migration(migrations.Migration):
    dependencies = [("alarms", "0016_evaluate_excursions_again")]

    operations = [
        migrations.AddField(
            "channel",
            "address_secret",
            core.crypto.encrypted_field.EncryptedTextField(blank=True, db_default="", default="", editable=False),
        ),
        migrations.RunPython(hide_secrets, show_secrets),
    ]
