"""What a source's HTTP request consists of besides its URL and its credentials."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core.crypto.encrypted_field import EncryptedTextField
from ingestion.sources import SettingError
from ingestion.sources.credentials import CredentialsKind
from ingestion.sources.file_places import check_files
from ingestion.sources.request_settings import (
    Headers,
    Method,
    check_body,
    check_certificates,
    check_headers,
    parse_headers,
)
from ingestion.sources.topics import check_filters, parse_broker


class SourceRequest(models.Model):
    """The method, headers and trusted certificates of requests, and what conditional requests compare."""

    request_method = models.CharField(
        max_length=4, db_default=Method.GET, default=Method.GET, choices=[(each.value, each.value) for each in Method]
    )
    request_content_type = models.CharField(
        max_length=100, db_default="application/json", default="application/json", help_text="Of the body."
    )
    request_headers = EncryptedTextField(
        blank=True,
        db_default="",
        default="",
        help_text="Further headers, one “Name: value” a line. Stored encrypted and never shown.",
    )
    ca_certificates = models.TextField(
        "CA certificates",
        blank=True,
        db_default="",
        default="",
        help_text="Certificates (PEM) to trust for this source in addition to those of the system.",
    )
    sends_conditional_requests = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Ask only for what changed since the last response (ETag, Last-Modified).",
    )
    token_scope = models.CharField(
        max_length=500, blank=True, db_default="", default="", help_text="OAuth 2: scopes, separated by blanks."
    )
    sends_client_in_body = models.BooleanField(
        "client in the body",
        default=False,
        db_default=False,
        help_text="OAuth 2: send the client's id and secret in the body, not as basic authentication.",
    )

    access_token = EncryptedTextField(blank=True, db_default="", default="", editable=False)
    access_token_for = models.CharField(max_length=64, blank=True, db_default="", default="", editable=False)
    access_token_expires_at = models.DateTimeField(null=True, editable=False)
    # The validators of the last complete response, and what it was a response to.
    validated_request = models.CharField(max_length=64, blank=True, db_default="", default="", editable=False)
    etag = models.CharField(max_length=500, blank=True, db_default="", default="", editable=False)
    last_modified = models.CharField(max_length=100, blank=True, db_default="", default="", editable=False)

    class Meta:
        abstract = True

    @property
    def headers(self) -> Headers:
        """The further headers. Raise SettingError, and SecretUnreadable if they can't be decrypted."""
        return parse_headers(self.request_headers.reveal())

    def check_request(self, kind: CredentialsKind, credentials_name: str, body: str) -> None:
        """Raise SettingError, which names the setting, if the request cannot be sent so."""
        check_headers(self.headers, kind, credentials_name)
        has_secret = kind == CredentialsKind.BODY
        check_body(self.request_method, body, self.request_content_type, has_secret=has_secret)
        check_certificates(self.ca_certificates)


class SourceSubscription(models.Model):
    """The broker and the topics of an MQTT source."""

    broker_url = models.CharField(
        "broker URL",
        max_length=300,
        blank=True,
        db_default="",
        default="",
        help_text="MQTT: mqtts://host:8883, or mqtt://host:1883 without TLS. The credentials are of the kind “basic”.",
    )
    topic_filters = ArrayField(
        models.CharField(max_length=1000),
        default=list,
        db_default=models.Value([], output_field=ArrayField(models.CharField(max_length=1000))),
        blank=True,
        help_text="MQTT: filters such as stores/+/{unit}/temperature, separated by commas; {unit} names the unit.",
    )

    class Meta:
        abstract = True

    def check_subscription(self, kind: CredentialsKind, *, is_subscribed: bool, url: str) -> None:
        """Raise SettingError, which names the setting, if topics cannot be subscribed to."""
        if not is_subscribed:
            if self.broker_url or self.topic_filters:
                raise SettingError("broker_url", "broker_url and topic_filters only apply to MQTT sources.")
            return
        parse_broker(self.broker_url)
        check_filters(self.topic_filters)
        if kind not in (CredentialsKind.NONE, CredentialsKind.BASIC):
            raise SettingError("credentials_kind", "credentials_kind must be none or basic: a broker takes a user.")
        if url:
            raise SettingError("url", "url must be empty: an MQTT source has a broker_url.")


class SourceFiles(models.Model):
    """What a source of files needs besides its URL and its credentials."""

    host_key = models.CharField(
        max_length=2000,
        blank=True,
        db_default="",
        default="",
        help_text="SFTP: the server's public key, such as “ssh-ed25519 AAAA…”, as ssh-keyscan prints it.",
    )
    endpoint_url = models.CharField(
        "endpoint URL",
        max_length=300,
        blank=True,
        db_default="",
        default="",
        help_text="S3: the server's address. Leave empty for AWS.",
    )
    region = models.CharField(max_length=40, blank=True, db_default="", default="", help_text="S3: us-east-1 if empty.")

    class Meta:
        abstract = True

    def check_files(self, kind: CredentialsKind, ingestion_type: str, url: str) -> None:
        """Raise SettingError, which names the setting, if the files cannot be read."""
        check_files(ingestion_type, url, kind, self.host_key, self.endpoint_url)
