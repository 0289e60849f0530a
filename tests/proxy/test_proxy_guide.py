"""docs/proxy.md names every key, limit and phase that there is, with its default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardrails.proxy.config import (
    Allowed,
    CheckConfig,
    ClientConfig,
    Limits,
    RouteConfig,
    ServeConfig,
)
from guardrails.proxy.config_file import load_config
from guardrails.proxy.features import PROVIDER_FIELDS
from guardrails.proxy.metrics import Metrics
from guardrails.proxy.routes import KNOWN

GUIDE = (Path(__file__).parents[2] / "docs" / "proxy.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`(?:\[serve\.)?([a-z_0-9]+)(?:[`\].(]| =)", GUIDE))
LIMITS = GUIDE.partition("### Limits")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    "table", [ServeConfig, Limits, Allowed, RouteConfig, ClientConfig, CheckConfig]
)
def test_every_key_is_named(table: type[ServeConfig]) -> None:
    assert not set(table.model_fields) - NAMED


def test_every_limit_has_the_default_that_is_said() -> None:
    for name, field in Limits.model_fields.items():
        (row,) = [line for line in LIMITS.splitlines() if re.search(rf"^\| .*`{name}`", line)]
        names, defaults = row.split(" | ")[:2]
        place = re.findall(r"`([a-z_]+)`", names).index(name)
        if field.default is None:
            continue
        assert float(defaults.split(", ")[place]) == field.default, name


def test_every_endpoint_and_field_is_named() -> None:
    for endpoint in KNOWN:
        assert f"{endpoint.path}`" in GUIDE
    unnamed = {name for name in PROVIDER_FIELDS if f"`{name}`" not in GUIDE}
    assert unnamed <= {"prompt_template"}


def test_every_metric_is_named() -> None:
    text = Metrics(()).text().decode()
    told = set(re.findall(r"^# TYPE (guardrails_proxy_[a-z_]+?)(?:_created)? ", text, re.MULTILINE))
    assert {name for name in told if name not in GUIDE} == set()


def test_the_configuration_of_the_guide_can_be_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "guardrails.toml"
    file.write_text(block)
    config = load_config(file, environ={})
    assert config.constitutions == ("customer-service", "medical")
