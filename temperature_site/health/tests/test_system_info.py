"""`/system-info`: the machine and the process, for the operator alone."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from pytest_django import Settings

from temperature_site.api.serializers import SystemInfoSerializer
from tests.api_clients import client_of, client_with

pytestmark = pytest.mark.django_db


def test_the_operator_sees_the_machine_and_the_process(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    shown = client_of(permissions=["admin"]).get("/system-info").json()

    assert shown["python"] == platform.python_version()
    assert shown["process"]["memory_bytes"] > 1_000_000
    assert 0 <= shown["disk"]["used_percent"] <= 100
    assert shown.keys() == set(SystemInfoSerializer().fields)
    for part in ("platform", "cpu", "memory", "disk", "process"):
        assert shown[part].keys() == set(SystemInfoSerializer().fields[part].fields)


@pytest.mark.parametrize(("permissions", "status"), [(["read"], 403), (["write"], 403)])
def test_nobody_else_does(permissions: list[str], status: int) -> None:
    assert client_of(permissions=permissions).get("/system-info").status_code == status
    assert client_with("").get("/system-info").status_code == 401
