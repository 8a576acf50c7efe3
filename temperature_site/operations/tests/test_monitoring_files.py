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

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


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


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)


# In three hours by minutes, of each of two machines: the database's numbers are the same, their disks are not.
OF_TWO_MACHINES = {
    'temperature_readings_total{fate="stored",instance="%s"}': ("0+60x180", "0+60x180"),
    'temperature_readings_total{fate="rejected",instance="%s"}': ("0+30x180", "0+30x180"),
    'temperature_deliveries_total{type="api",status="ok",instance="%s"}': ("0+60x180", "0+60x180"),
    'temperature_units_not_evaluated{part="excursions",instance="%s"}': ("3x180", "3x180"),
    'temperature_alarms_open{kind="excursion",severity="warning",instance="%s"}': ("2x180", "2x180"),
    'temperature_disk_bytes{state="free",instance="%s"}': ("5x180", "50x180"),
    'temperature_disk_bytes{state="used",instance="%s"}': ("95x180", "50x180"),
}
ALERTS_OF_TWO_MACHINES = {
    'ALERTS{alertname="TemperatureManyRowsRejected"}': 1,
    'ALERTS{alertname="TemperatureUnitsNotEvaluated"}': 1,
    'ALERTS{alertname="TemperatureDiskFull"}': 1,
    'ALERTS{alertname="TemperatureDiskFull",instance="a"}': 1,
}
PANELS_OF_TWO_MACHINES = {
    "Rows received per second": {'{fate="stored"}': 1, '{fate="rejected"}': 0.5},
    "Deliveries per minute": {'{type="api",status="ok"}': 60},
    "Open alarms": {'{kind="excursion"}': 2},
    "Units that are not evaluated": {"{}": 3},
}


@needs_promtool
def test_two_scraped_machines_count_as_one_system(tmp_path: Path) -> None:
    panels = {panel["title"]: panel["targets"][0]["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"]}
    expected = {f"count({expression})": {"{}": value} for expression, value in ALERTS_OF_TWO_MACHINES.items()}
    expected |= {panels[title]: values for title, values in PANELS_OF_TWO_MACHINES.items()}
    document = {
        "rule_files": [str(RULES)],
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": series % machine, "values": of_machine}
                    for series, values in OF_TWO_MACHINES.items()
                    for machine, of_machine in zip("ab", values, strict=True)
                ],
                "promql_expr_test": [
                    {
                        "expr": expression,
                        "eval_time": "3h",
                        "exp_samples": [{"labels": labels, "value": value} for labels, value in values.items()],
                    }
                    for expression, values in expected.items()
                ],
            }
        ],
    }
    (tmp_path / "two_machines.yml").write_text(yaml.safe_dump(document))

    tested = subprocess.run(
        ["promtool", "test", "rules", "two_machines.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr
