"""The shape of the ingestion log."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ingestion.models import Delivery, IngestionType


class IngestionLogSerializer(serializers.Serializer[Any]):
    """One poll, push or import, and what became of its rows."""

    id = serializers.UUIDField(source="public_id")
    customer_id = serializers.UUIDField(source="customer.public_id")
    customer_code = serializers.CharField(source="customer.customer_code")
    ingestion_type = serializers.ChoiceField(IngestionType.choices)
    status = serializers.ChoiceField(Delivery.Status.choices)
    records_processed = serializers.IntegerField()
    records_succeeded = serializers.IntegerField(source="records_stored")
    records_duplicate = serializers.IntegerField()
    records_failed = serializers.IntegerField(help_text="Rejected, or contradicting what is stored.")
    start_time = serializers.DateTimeField(source="started_at")
    end_time = serializers.DateTimeField(source="ended_at")
    source_url = serializers.CharField(help_text="Without secrets; a file's name.")
    error_message = serializers.CharField()
