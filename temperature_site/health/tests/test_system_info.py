"""`/system-info`: the machine and the process, for the operator alone."""

from __future__ import annotations

import platform
from pathlib import Path

import psutil
import pytest
from pytest_django import Settings
from rest_framework.serializers import Serializer

from temperature_site.api.serializers import SystemInfoSerializer
from tests.api_clients import client_of, client_with

pytestmark = pytest.mark.django_db


def test_the_operator_sees_the_machine_and_the_process(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    info = client_of(permissions=["admin"]).get("/system-info").json()

    assert info["python"] == platform.python_version()
    assert info["process"]["memory_bytes"] > 1_000_000
    assert 0 <= info["disk"]["used_percent"] <= 100
    fields = SystemInfoSerializer().fields
    assert info.keys() == set(fields)
    for name in ("operating_system", "cpu", "memory", "disk", "process"):
        part = fields[name]
        assert isinstance(part, Serializer)
        assert info[name].keys() == set(part.fields)


def test_the_earlier_field_names_are_there(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    info = client_of(permissions=["admin"]).get("/system-info").json()

    assert info["platform"] == platform.platform()
    assert info["python_version"] == platform.python_version()
    assert info["cpu_count"] == psutil.cpu_count()
    assert {"total", "available", "percent"} <= info["memory"].keys()
    assert {"total", "used", "free", "percent"} <= info["disk"].keys()
    assert {"pid", "memory_percent", "cpu_percent", "threads"} <= info["process"].keys()
    assert info["disk"]["total"] >= info["disk"]["used"] + info["disk"]["free"]
    assert 0 < info["process"]["memory_percent"] < 100
    assert info["process"]["cpu_percent"] > 0


@pytest.mark.parametrize(("permissions", "status"), [(["read"], 403), (["write"], 403)])
def test_nobody_else_does(permissions: list[str], status: int) -> None:
    assert client_of(permissions=permissions).get("/system-info").status_code == status
    assert client_with("").get("/system-info").status_code == 401
