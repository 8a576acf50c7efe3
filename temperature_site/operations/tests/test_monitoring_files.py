"""Alert rules and dashboard name metrics that the system exports, and the runbook knows every alert."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from temperature_site import metrics
from temperature_site.models import Backup
from tests.factories import DeliveryFactory

ROOT = Path(settings.BASE_DIR)
RULES = ROOT / "deploy" / "prometheus" / "temperature.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "temperature.json"
METRIC = re.compile(r"\btemperature_[a-z_]+")


def rules() -> list[dict[str, str]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [rule["expr"] for rule in rules()] + [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.django_db
def test_every_named_metric_is_exported(client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEMO, settings.BACKUP_HOURS = True, 26
    monkeypatch.setattr(metrics.shared_metrics.cached, "_cached", None)
    DeliveryFactory.create(records_stored=1)
    Backup.objects.create(taken_at=timezone.now(), folder="a:/b", size_bytes=1, duration_seconds=1)
    client.get("/ping")

    families = text_string_to_metric_families(client.get("/metrics").content.decode())
    exported = {sample.name for family in families for sample in family.samples}

    assert {name for expression in expressions() for name in METRIC.findall(expression)} - exported == set()


def test_every_alert_is_in_the_runbook() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    assert [rule["alert"] for rule in rules() if f"`{rule['alert']}`" not in runbook] == []


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)
