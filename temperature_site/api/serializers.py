"""Serializers of the system's health and of information about the machine."""

from __future__ import annotations

from platform import uname_result

from rest_framework import serializers

from core.api.fields import labelled_choices
from temperature_site.health.system_info import Cpu, Process, Space, SystemInfo
from temperature_site.health.views import HealthReport

RESULT = "`ok`, or `error: ` followed by the reason."


class HealthSerializer(serializers.Serializer[HealthReport]):
    """Health of the system."""

    status = serializers.ChoiceField(labelled_choices(["ok", "degraded", "error"]), source="results.status")
    version = serializers.CharField()
    timestamp = serializers.DateTimeField(
        source="at", help_text="Time of the check; results are cached for some seconds."
    )
    uptime_seconds = serializers.FloatField(help_text="Uptime of the responding process.")
    database = serializers.CharField(source="results.database", help_text=RESULT)
    rabbitmq = serializers.CharField(source="results.rabbitmq", help_text=f"The message broker, of any kind: {RESULT}")
    beat = serializers.CharField(source="results.beat", help_text=RESULT)
    workers = serializers.CharField(source="results.workers", help_text=RESULT)
    partitions = serializers.CharField(source="results.partitions", help_text=RESULT)
    evaluation = serializers.CharField(
        source="results.evaluation", help_text=f"Whether every unit's readings are evaluated: {RESULT}"
    )
    clocks = serializers.CharField(
        source="results.clocks", help_text=f"Whether the processes' clocks agree with the database's: {RESULT}"
    )
    storing = serializers.CharField(
        source="results.storing", help_text=f"Whether readings are stored and sources are on time: {RESULT}"
    )
    subscriber = serializers.CharField(
        source="results.subscriber", help_text=f"The process that subscribes to MQTT topics: {RESULT}"
    )
    sealing = serializers.CharField(
        source="results.sealing",
        help_text=f"Whether the audit trail is chained and closed days are sealed in time: {RESULT}",
    )
    archive = serializers.CharField(
        source="results.archive",
        help_text=f"Whether months of readings are archived and their files are there: {RESULT}",
    )
    notifications = serializers.CharField(
        source="results.notifications",
        help_text=f"Whether alarm messages of every kind of channel are delivered: {RESULT}",
    )
    warnings = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="What is wrong with the configuration; only for the operator.",
    )


class PlatformSerializer(serializers.Serializer[uname_result]):
    """Operating system and architecture."""

    system = serializers.CharField()
    release = serializers.CharField()
    machine = serializers.CharField()


class CpuSerializer(serializers.Serializer[Cpu]):
    """Processors and their load."""

    count = serializers.IntegerField()
    load_1m = serializers.FloatField(help_text="Running and waiting processes, averaged over a minute.")
    load_5m = serializers.FloatField()
    load_15m = serializers.FloatField()


class MemorySerializer(serializers.Serializer[Space]):
    """Size and usage of the memory; `total`, `available` and `percent` are the earlier names."""

    total_bytes = serializers.IntegerField(source="total")
    available_bytes = serializers.IntegerField(source="available")
    used_percent = serializers.FloatField(source="percent")
    total = serializers.IntegerField()
    available = serializers.IntegerField()
    percent = serializers.FloatField()


class DiskSerializer(serializers.Serializer[Space]):
    """Size and usage of the data directory's disk; `total`, `used`, `free` and `percent` are the earlier names."""

    total_bytes = serializers.IntegerField(source="total")
    available_bytes = serializers.IntegerField(source="available")
    used_percent = serializers.FloatField(source="percent")
    total = serializers.IntegerField()
    used = serializers.IntegerField()
    free = serializers.IntegerField(source="available")
    percent = serializers.FloatField()


class ProcessSerializer(serializers.Serializer[Process]):
    """The responding process."""

    pid = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    memory_bytes = serializers.IntegerField()
    memory_percent = serializers.FloatField(help_text="Share of the machine's memory.")
    cpu_percent = serializers.FloatField(help_text="Of one processor, averaged since the process started.")
    threads = serializers.IntegerField()
    open_files = serializers.IntegerField()


class SystemInfoSerializer(serializers.Serializer[SystemInfo]):
    """The machine and the responding process."""

    platform = serializers.CharField(help_text="Operating system, release and architecture in one text.")
    operating_system = PlatformSerializer()
    python = serializers.CharField()
    python_version = serializers.CharField(source="python", help_text="The same under its earlier name.")
    cpu = CpuSerializer()
    cpu_count = serializers.IntegerField(source="cpu.count", help_text="`cpu.count` under its earlier name.")
    memory = MemorySerializer()
    disk = DiskSerializer()
    process = ProcessSerializer()
