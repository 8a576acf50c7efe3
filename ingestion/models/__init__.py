"""Models of ingestion: sources, deliveries, and the rows that await a decision."""

from ingestion.models.delivery import DeletedDeliveries, Delivery
from ingestion.models.imports import FileImport, ImportFile, SavedMapping
from ingestion.models.review import Conflict, RejectedRow
from ingestion.models.setup import SourceSetup
from ingestion.models.source import (
    LATE_GRACE,
    LATE_INTERVALS,
    MAX_INTERVAL_SECONDS,
    IngestionType,
    ReceivedMessage,
    Source,
    SourceFile,
    SourceMapping,
    SourceSchedule,
    SourceUnit,
)

__all__ = [
    "LATE_GRACE",
    "LATE_INTERVALS",
    "MAX_INTERVAL_SECONDS",
    "Conflict",
    "DeletedDeliveries",
    "Delivery",
    "FileImport",
    "ImportFile",
    "IngestionType",
    "ReceivedMessage",
    "RejectedRow",
    "SavedMapping",
    "Source",
    "SourceFile",
    "SourceMapping",
    "SourceSchedule",
    "SourceSetup",
    "SourceUnit",
]
