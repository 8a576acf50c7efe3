"""Encrypt literal secrets in the bodies of sources' requests, and remove those from the addresses of S3 servers."""

from typing import Any
from urllib.parse import urlsplit

from django.db import migrations

import core.crypto.encrypted_field
from core.crypto.redaction import has_redacted_part, redact_body, redact_url


def hide_secrets(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("ingestion", "Source").objects
    for pk, body in rows.exclude(request_body="").values_list("pk", "request_body"):
        shown = redact_body(body)
        if has_redacted_part(shown) and not has_redacted_part(body):
            rows.filter(pk=pk).update(request_body=shown, request_body_secret=body)
    for pk, url in rows.exclude(endpoint_url="").values_list("pk", "endpoint_url"):
        # Keys of S3 are credentials: what else the address holds is never sent, and refused when it is entered.
        if redact_url(url) != url or "?" in url:
            address = urlsplit(url)
            rows.filter(pk=pk).update(endpoint_url=f"{address.scheme}://{address.netloc.rpartition('@')[2]}")


def show_secrets(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("ingestion", "Source").objects
    for row in rows.only("pk", "request_body_secret"):
        if row.request_body_secret:
            rows.filter(pk=row.pk).update(request_body=row.request_body_secret.reveal())


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0023_reads_begun_of_files")]

    operations = [
        migrations.AddField(
            "source",
            "request_body_secret",
            core.crypto.encrypted_field.EncryptedTextField(blank=True, db_default="", default="", editable=False),
        ),
        migrations.RunPython(hide_secrets, show_secrets),
    ]
