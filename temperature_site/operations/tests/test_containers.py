"""The container files agree with the Procfile, the settings and their schemas; no container engine is needed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.conf import settings
from honcho.environ import parse_procfile

ROOT = Path(settings.BASE_DIR)
DEPLOY = ROOT / "deploy"
PROCESSES = {
    name: shlex.split(command)
    for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items()
    if name != "simulator"
}
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MANIFESTS: list[dict[str, Any]] = [
    document
    for name in yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    for document in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())
]
FILLED_IN = {
    "SITE_HOST": "cold.example.com",
    "SECRET_KEY": "of-this-test-" + "x" * 50,
    "SOURCE_CREDENTIALS_KEYS": "another-of-this-test-" + "y" * 40,
    "POSTGRES_PASSWORD": "p",
    "RABBITMQ_PASSWORD": "r",
}


def image_settings() -> dict[str, str]:
    (line,) = re.findall(r"^ENV (.+)$", CONTAINERFILE, re.MULTILINE)
    return dict(word.split("=", 1) for word in shlex.split(line))


def interpolated(text: str) -> str:
    return re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda match: FILLED_IN[match[1]], text)


def test_compose_runs_every_process_with_the_command_of_the_procfile() -> None:
    commands = {name: COMPOSE["services"][name]["command"] for name in PROCESSES}
    assert commands == PROCESSES
    assert shlex.split(CONTAINERFILE.rsplit("CMD [", 1)[1].strip().strip("]").replace(",", "")) == PROCESSES["web"]


def test_kubernetes_runs_every_process_with_the_command_of_the_procfile() -> None:
    commands = {}
    for document in MANIFESTS:
        if document["kind"] == "Deployment":
            (container,) = document["spec"]["template"]["spec"]["containers"]
            commands[document["metadata"]["name"].removeprefix("temperature-")] = container["command"]
    assert commands == PROCESSES


def test_archived_readings_outlive_the_pods_and_are_shared_by_them() -> None:
    """What is archived is no longer in the database: the folder must not be removed with a pod."""
    customization = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    given = dict(literal.split("=", 1) for literal in customization["configMapGenerator"][0]["literals"])
    shared = {
        document["metadata"]["name"]
        for document in MANIFESTS
        if document["kind"] == "PersistentVolumeClaim" and document["spec"]["accessModes"] == ["ReadWriteMany"]
    }
    with_archive = set()
    for document in MANIFESTS:
        if document["kind"] == "Deployment":
            pod = document["spec"]["template"]["spec"]
            claims = {
                each["name"]: each["persistentVolumeClaim"]["claimName"]
                for each in pod["volumes"]
                if "persistentVolumeClaim" in each
            }
            mounted = {each["mountPath"]: claims.get(each["name"]) for each in pod["containers"][0]["volumeMounts"]}
            if mounted.get(given.get("ARCHIVE_DIR")) in shared:
                with_archive.add(document["metadata"]["name"].removeprefix("temperature-"))
    assert with_archive == set(PROCESSES) - {"beat"}


def test_temporary_files_are_not_kept_in_memory() -> None:
    """Large files are decompressed into them, which would use up the memory of the container."""
    assert not [name for name, service in COMPOSE["services"].items() if "tmpfs" in service]
    for name in PROCESSES:
        assert "/tmp" in COMPOSE["services"][name]["volumes"]  # noqa: S108  where the volume is mounted
    for document in MANIFESTS:
        if document["kind"] in ("Deployment", "Job"):
            volumes = {each["name"]: each for each in document["spec"]["template"]["spec"]["volumes"]}
            assert volumes["tmp"]["emptyDir"] == {}


def test_images_have_the_version_of_the_project() -> None:
    customization = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    assert COMPOSE["services"]["web"]["image"] == f"temperature-monitoring:{settings.VERSION}"
    assert customization["images"][0]["newTag"] == settings.VERSION


def test_nginx_notices_exports_that_are_cut_off() -> None:
    """Only HTTP/1.1 marks the end of a response of unknown length, such as an export."""
    location = (DEPLOY / "nginx.conf").read_text().partition("location / {")[2]

    assert "proxy_http_version 1.1;" in location


def test_the_example_of_the_environment_names_what_compose_needs() -> None:
    example = re.findall(r"^([A-Z_]+)=", (DEPLOY / "compose.env.example").read_text(), re.MULTILINE)
    used = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert used <= set(example) == set(FILLED_IN)


def test_compose_follows_its_schema() -> None:
    program = Path(sys.executable).parent / "check-jsonschema"
    checked = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("document", MANIFESTS, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_a_manifest_follows_the_schema_of_kubernetes(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.31", strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_builds_the_base() -> None:
    subprocess.run(["kubectl", "kustomize", DEPLOY / "kubernetes"], check=True, capture_output=True)


def test_the_settings_of_the_containers_are_valid(tmp_path: Path) -> None:
    """The image's program runs in this virtual environment with the image's settings and those of compose."""
    given = {name: interpolated(value) for name, value in COMPOSE["services"]["web"]["environment"].items()}
    environment = {"PATH": os.environ["PATH"], **FILLED_IN, **image_settings(), **given, "DATA_DIR": str(tmp_path)}
    environment["ALLOWED_HOSTS"] = given["ALLOWED_HOSTS"]
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
