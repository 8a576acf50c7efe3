"""Encrypt the secrets in the URLs of sources; what remains in the columns shows no secret."""

from typing import Any

from django.db import migrations

import core.crypto.encrypted_field
from core.crypto.redaction import has_redacted_part, redact_url


def hide_secrets(apps: Any, schema_editor: Any) -> None:
    source_model = apps.get_model("ingestion", "Source")
    for source in source_model.objects.only("pk", "url", "structure_url").iterator():
        changed = {}
        for field in ("url", "structure_url"):
            url = getattr(source, field)
            shown = redact_url(url)
            if has_redacted_part(shown) and not has_redacted_part(url):
                changed |= {field: shown, f"{field}_secret": url}
        if changed:
            source_model.objects.filter(pk=source.pk).update(**changed)


def show_secrets(apps: Any, schema_editor: Any) -> None:
    source_model = apps.get_model("ingestion", "Source")
    for source in source_model.objects.only("pk", "url_secret", "structure_url_secret").iterator():
        urls = {field: getattr(source, f"{field}_secret").reveal() for field in ("url", "structure_url")}
        if changed := {field: url for field, url in urls.items() if url}:
            source_model.objects.filter(pk=source.pk).update(**changed)


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0017_source_setup")]

    operations = [
        migrations.AddField(
            "source",
            "structure_url_secret",
            core.crypto.encrypted_field.EncryptedTextField(blank=True, db_default="", default="", editable=False),
        ),
        migrations.AddField(
            "source",
            "url_secret",
            core.crypto.encrypted_field.EncryptedTextField(blank=True, db_default="", default="", editable=False),
        ),
        migrations.RunPython(hide_secrets, show_secrets),
    ]
