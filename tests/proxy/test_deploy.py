"""The unit, the image and the manifest say what the command takes and what the proxy is."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from guardrails.cli.app import app
from guardrails.proxy.config import load_config
from guardrails.proxy.keys import Keys

DEPLOY = Path(__file__).parents[2] / "deploy"
ENVIRON = {
    "ANTHROPIC_API_KEY": "upstream-key-of-anthropic",
    "OPENAI_API_KEY": "upstream-key-of-openai",
    "SHOP_CLIENT_KEY": "key-of-the-shop-0123456789",
}


def manifest() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [document for document in manifest() if document["kind"] == kind]


def container() -> dict[str, Any]:
    (pods,) = of_kind("StatefulSet")
    (found,) = pods["spec"]["template"]["spec"]["containers"]
    return dict(found)


def unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "constitution.service").read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def image() -> list[str]:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def image_command() -> list[str]:
    (said,) = (line.removeprefix("CMD ") for line in image() if line.startswith("CMD "))
    return list(yaml.safe_load(said))


COMMANDS = {
    "unit": lambda: shlex.split(unit()["ExecStart"][0])[1:],
    "image": image_command,
    "manifest": lambda: container()["args"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_command_takes_what_is_said(command: Any) -> None:
    arguments = [str(argument) for argument in command()]
    with typer.main.get_command(app).make_context("constitution", arguments) as context:
        name, serve, rest = context.command.resolve_command(context, arguments)  # type: ignore[attr-defined]
        assert name == "serve"
        assert serve.make_context(name, rest).params["config"] == Path(
            "/etc/constitutional-guardrails/guardrails.toml"
        )


def configurations() -> dict[str, str]:
    (mapped,) = of_kind("ConfigMap")
    return {
        "the file": (DEPLOY / "guardrails.toml").read_text(),
        "the manifest": mapped["data"]["guardrails.toml"],
    }


@pytest.mark.parametrize("text", configurations().values(), ids=configurations())
def test_the_configuration_can_be_served(text: str, tmp_path: Path) -> None:
    file = tmp_path / "guardrails.toml"
    file.write_text(text)
    config = load_config(file, environ={})
    assert [client.name for client in Keys(config, ENVIRON).clients] == ["shop"]
    assert (config.port, config.operations.port) == (8080, 9090)


def test_the_probes_ask_what_is_there() -> None:
    found = container()
    ports = {port["name"]: port["containerPort"] for port in found["ports"]}
    assert ports == {"http": 8080, "operations": 9090}
    probes = {
        name: found[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")
    }
    assert {probe["path"] for probe in probes.values()} == {"/readyz", "/healthz"}
    assert probes["liveness"]["path"] == "/healthz"
    assert {probe["port"] for probe in probes.values()} == {"operations"}
    (health,) = (line for line in image() if line.startswith("HEALTHCHECK"))
    assert "http://127.0.0.1:9090/readyz" in health


@pytest.mark.parametrize("text", configurations().values(), ids=configurations())
def test_there_is_time_to_drain(text: str) -> None:
    serve = tomllib.loads(text)["serve"]
    needed = serve["drain_s"] + serve["drain_delay_s"]
    (pods,) = of_kind("StatefulSet")
    assert pods["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= needed + 15
    assert int(unit()["TimeoutStopSec"][0]) >= needed + 15


def test_the_manifests_parts_name_each_other() -> None:
    (pods,) = of_kind("StatefulSet")
    spec = pods["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in spec["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in pods["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container()["volumeMounts"]} == volumes
    secrets = {secret["metadata"]["name"] for secret in of_kind("Secret")}
    named = re.findall(r"secret(?:Ref|): \{(?:name|secretName): ([a-z-]+)", _text())
    assert set(named) == secrets
    labels = pods["spec"]["template"]["metadata"]["labels"]
    for kind in ("Service", "StatefulSet", "PodDisruptionBudget"):
        (document,) = of_kind(kind)
        selector = document["spec"]["selector"]
        assert selector.get("matchLabels", selector) == labels
    assert not [key for secret in of_kind("Secret") for key in _values(secret) if "sk-" in key]


def _text() -> str:
    return (DEPLOY / "kubernetes.yaml").read_text()


def _values(secret: dict[str, Any]) -> list[str]:
    return list(secret["stringData"].values())


def test_the_image_copies_what_is_there_and_runs_as_nobody_special() -> None:
    root = DEPLOY.parent
    for line in image():
        if line.startswith("COPY ") and "--from" not in line:
            *sources, _ = line.split()[1:]
            assert all((root / source).exists() for source in sources), line
    assert "USER 10001" in image()
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    (installs,) = (line for line in image() if "pip install" in line)
    (named,) = re.findall(r"\.\[([a-z,]+)\]", installs)
    assert set(named.split(",")) <= set(extras)


@pytest.mark.proof  # needs systemd, and fails where there is none
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "constitution.service").read_text()
    file = tmp_path / "constitution.service"
    file.write_text(text.replace("/opt/constitutional-guardrails/bin/constitution", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")
