"""The unit, the image and the manifest say what the command takes and what the proxy is."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
import yaml

from guardrails.cli.app import app
from guardrails.guard import Guard
from guardrails.proxy.config_file import load_config
from guardrails.proxy.keys import Keys
from guardrails.settings import Settings, load_settings

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


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in of_kind(kind) if each["metadata"]["name"] == name)
    return found


def configurations() -> dict[str, str]:
    mapped = named("ConfigMap", "constitution-config")
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
    said = re.findall(r"secret(?:Ref|KeyRef|): \{(?:name|secretName): ([a-z-]+)", _text())
    assert set(said) == secrets
    maps = {volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume}
    assert maps == {mapped["metadata"]["name"] for mapped in of_kind("ConfigMap")}
    proxy, store = {"app": "constitution"}, {"app": "constitution-redis"}
    assert pods["spec"]["template"]["metadata"]["labels"] == proxy
    (redis,) = of_kind("Deployment")
    assert redis["spec"]["template"]["metadata"]["labels"] == store
    for document in manifest():
        selector = document.get("spec", {}).get("selector") or document.get("spec", {}).get(
            "podSelector"
        )
        if selector is not None:
            expected = store if document["metadata"]["name"] == "constitution-redis" else proxy
            assert selector.get("matchLabels", selector) == expected
    assert not [key for secret in of_kind("Secret") for key in _values(secret) if "sk-" in key]


def test_a_stateful_sets_service_is_headless_and_clients_have_another() -> None:
    (pods,) = of_kind("StatefulSet")
    headless = named("Service", pods["spec"]["serviceName"])["spec"]
    clients = named("Service", "constitution")["spec"]
    assert (headless["clusterIP"], clients.get("clusterIP")) == ("None", None)
    assert [port["targetPort"] for port in clients["ports"]] == ["http"]


def test_replicas_share_a_redis_that_only_they_reach() -> None:
    environ = {variable["name"]: variable for variable in container()["env"]}
    address = environ["GUARDRAILS_CACHE"]["value"].replace("$(REDIS_PASSWORD)", "a" * 64)
    settings = load_settings(environ={"GUARDRAILS_CACHE": address}, folder=DEPLOY / "none")
    host, port = urlsplit(settings.cache).hostname, urlsplit(settings.cache).port
    (service,) = named("Service", str(host))["spec"]["ports"]
    assert service["port"] == port
    (redis,) = of_kind("Deployment")
    (store,) = redis["spec"]["template"]["spec"]["containers"]
    for one in (container(), store):
        (secret,) = (each for each in one["env"] if each["name"] == "REDIS_PASSWORD")
        assert secret["valueFrom"]["secretKeyRef"]["name"] == "constitution-redis"
    assert store["args"][:2] == ["--requirepass", "$(REDIS_PASSWORD)"]
    policy = named("NetworkPolicy", "constitution-redis")["spec"]
    assert policy["ingress"][0]["from"] == [
        {"podSelector": {"matchLabels": {"app": "constitution"}}}
    ]


def test_operations_are_for_whoever_runs_it() -> None:
    """On loopback, but in a pod, where probes come from outside and a policy keeps others away."""
    served = {name: tomllib.loads(text)["serve"] for name, text in configurations().items()}
    hosts = {name: serve["operations"]["host"] for name, serve in served.items()}
    assert hosts == {"the file": "127.0.0.1", "the manifest": "0.0.0.0"}
    rules = named("NetworkPolicy", "constitution")["spec"]["ingress"]
    (operations,) = (rule for rule in rules if rule["ports"][0]["port"] == "operations")
    assert [list(peer) for peer in operations["from"]] == [["namespaceSelector"]]


def test_the_constitution_of_the_manifest_can_be_served(tmp_path: Path) -> None:
    for name, text in named("ConfigMap", "constitution-own")["data"].items():
        (tmp_path / name).write_text(text)
    config = tomllib.loads(configurations()["the manifest"])
    (mount,) = (each for each in container()["volumeMounts"] if each["name"] == "own")
    assert config["constitutions"] == mount["mountPath"]
    assert "subPath" not in mount
    settings = Settings(audit="memory", constitutions=tmp_path)
    guard = Guard.load(config["serve"]["constitution"], offline=True, settings=settings)
    decision = guard.sync.check_output("Go to Rival Stores. They are open.")
    assert decision.text == "I can only speak of our own products. They are open."


def test_an_image_has_one_name_everywhere() -> None:
    version = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]["version"]
    name = f"constitutional-guardrails:{version}"
    assert container()["image"] == name
    for file in (DEPLOY / "Dockerfile", DEPLOY.parent / "docs" / "deployment.md"):
        found = re.findall(r"\bconstitutional-guardrails:[^\s:`]*", file.read_text())
        assert {tag for tag in found if not tag.endswith((":", "/"))} == {name}


def test_nothing_gets_into_the_image_but_what_is_copied() -> None:
    lines = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    first, *rest = [line for line in lines if line and not line.startswith("#")]
    let_in = {line.removeprefix("!") for line in rest if line.startswith("!")}
    copied = {
        source
        for line in image()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert first == "*"
    assert let_in == copied


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
