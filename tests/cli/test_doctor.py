"""`constitution doctor` names what is wrong with an installation, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardrails.audit.keys import make_keys
from guardrails.cli import main
from guardrails.cli.doctor import Check, critics, key, models, owner, stores, trail
from guardrails.critic.registry import CriticRegistry
from guardrails.settings import Settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_this_installation_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    errors = [check for check in document["checks"] if check["level"] == "error"]
    assert (status, errors, document["ok"]) == (0, [], True)
    names = {check["name"] for check in document["checks"]}
    assert {"python", "import guardrails", "settings", "critic pii", "constitution base"} <= names


def test_every_line_has_a_sign(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "✓ import critics is ours" in told
    assert "! models none is configured" in told
    assert "    → " in told


def test_broken_settings_are_an_error_and_the_rest_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "guardrails.toml").write_text("colour = 1")
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "✗ settings" in told
    assert "colour" in told
    assert "critic pattern" in told


def test_another_owner_of_an_import_name_is_named() -> None:
    assert owner("guardrails", ["constitutional-guardrails"]).level == "ok"
    shared = owner("guardrails", ["constitutional-guardrails", "guardrails-ai"])
    assert shared.level == "warning"
    assert "guardrails-ai" in shared.found + shared.remedy


def test_a_name_that_leads_elsewhere_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    taken = owner("others", ["other-package"])
    assert (taken.level, "other-package" in taken.remedy) == ("error", True)
    assert owner("no_such_module", []).level == "error"


def test_a_key_that_others_may_read_is_an_error(tmp_path: Path) -> None:
    settings = Settings(audit=str(tmp_path / "audit.db"))
    assert key(settings).level == "ok"
    assert make_keys(settings.key_path).id in key(settings).found
    settings.key_path.chmod(0o644)
    open_to_all = key(settings)
    assert (open_to_all.level, "chmod 600" in open_to_all.remedy) == ("error", True)


@pytest.mark.parametrize(
    ("settings", "level", "told"),
    [
        pytest.param(Settings(audit="memory"), "warning", "in memory", id="memory"),
        pytest.param(Settings(audit="new/audit.db"), "ok", "will be made", id="new"),
        pytest.param(Settings(audit="old.db"), "warning", "without an anchor", id="no anchor"),
        pytest.param(
            Settings(audit="old.db", audit_anchor=Path("anchor")), "ok", "anchored", id="anchored"
        ),
    ],
)
def test_the_trail_is_looked_at(settings: Settings, level: str, told: str) -> None:
    Path("old.db").touch()
    found = trail(settings)
    assert (found.level, told in found.found) == (level, True)


def test_a_critic_that_does_not_import_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken_critic-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: broken-critic\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[guardrails.critics]\nbroken = no_such_module:C\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = {check.name: check for check in critics(CriticRegistry())}
    assert found["critic broken"].level == "error"
    assert "no_such_module" in found["critic broken"].found
    assert found["critic pattern"].level == "ok"


def test_models_are_named() -> None:
    assert models(Settings()).level == "warning"
    assert models(Settings(models={"small": "a/b"})) == Check(
        name="models", level="ok", found="small = a/b"
    )


NOBODY = "redis://:hunter2@127.0.0.1:1/0"


@pytest.mark.parametrize(
    ("said", "levels", "setting"),
    [
        ({}, {}, ""),
        ({"cache": NOBODY}, {"verdict cache": "warning"}, "cache"),
        ({"budget_store": NOBODY}, {"daily budgets": "error"}, "budget_store"),
        (
            {"budget_store": NOBODY, "on_budget_outage": "local"},
            {"daily budgets": "warning"},
            "budget_store",
        ),
        ({"cache": NOBODY}, {"verdict cache": "warning", "daily budgets": "error"}, "cache"),
    ],
    ids=["none", "cache", "budgets", "budgets, counted here", "both at one"],
)
def test_a_redis_that_cannot_be_reached_is_told(
    said: dict[str, str],
    levels: dict[str, str],
    setting: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    daily = {"tenant": {"max_calls": 5}} if "daily budgets" in levels else {}
    found = tuple(stores(Settings.model_validate({**said, "daily": daily})))
    assert {check.name: check.level for check in found} == levels
    for check in found:
        assert "redis://127.0.0.1:1/0 cannot be used (ConnectionError)" in check.found
        assert f"correct {setting} (GUARDRAILS_{setting.upper()})" in check.remedy
        assert "hunter2" not in check.found + check.remedy
    assert not capsys.readouterr().err, "told once"
