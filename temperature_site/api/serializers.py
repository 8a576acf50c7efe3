"""The shapes of the answers that are about the system itself."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

FINDING = "`ok`, or `error: ` and why."


class HealthSerializer(serializers.Serializer[Any]):
    """How every part of the system is."""

    status = serializers.ChoiceField(["ok", "degraded", "error"])
    version = serializers.CharField()
    timestamp = serializers.DateTimeField(help_text="When it was looked; kept for some seconds.")
    uptime_seconds = serializers.FloatField(help_text="Of the process that answers.")
    database = serializers.CharField(help_text=FINDING)
    rabbitmq = serializers.CharField(help_text=f"The broker, whichever it is: {FINDING}")
    beat = serializers.CharField(help_text=FINDING)
    workers = serializers.CharField(help_text=FINDING)
    partitions = serializers.CharField(help_text=FINDING)


class PlatformSerializer(serializers.Serializer[Any]):
    system = serializers.CharField()
    release = serializers.CharField()
    machine = serializers.CharField()


class CpuSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    load_1m = serializers.FloatField(help_text="Processes that ran or waited to, averaged over a minute.")
    load_5m = serializers.FloatField()
    load_15m = serializers.FloatField()


class SpaceSerializer(serializers.Serializer[Any]):
    total_bytes = serializers.IntegerField()
    available_bytes = serializers.IntegerField()
    used_percent = serializers.FloatField()


class ProcessSerializer(serializers.Serializer[Any]):
    pid = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    memory_bytes = serializers.IntegerField()
    threads = serializers.IntegerField()
    open_files = serializers.IntegerField()


class SystemInfoSerializer(serializers.Serializer[Any]):
    """The machine and the process that answers."""

    platform = PlatformSerializer()
    python = serializers.CharField()
    cpu = CpuSerializer()
    memory = SpaceSerializer()
    disk = SpaceSerializer(help_text="Of the data directory.")
    process = ProcessSerializer()
