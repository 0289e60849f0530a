"""What is wrong with a critic is told where a constitution names it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from constitution_samples import ONE, loaded, problems

from guardrails.constitution.model import CriticConfig
from guardrails.critic.registry import GROUP, CriticRegistry
from guardrails.errors import CriticError

GOOD = """
from guardrails.constitution.model import CriticConfig
class Config(CriticConfig):
    words: tuple[str, ...] = ()
class {name}:
    name, version, tier, Config = "{name}", "1.0.0", "deterministic", Config
    bind = need = declared = critique = None
"""

Install = Callable[[str, str], CriticRegistry]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make an installed distribution that offers a critic, of a module with this code."""

    def install(name: str, code: str) -> CriticRegistry:
        (tmp_path / f"{name}_package.py").write_text(code)
        monkeypatch.delitem(sys.modules, f"{name}_package", raising=False)
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {name}_package:{name}\n")
        monkeypatch.syspath_prepend(tmp_path)
        return CriticRegistry()

    return install


def named(critic: str) -> str:
    return f"{ONE}    critics: [{critic}]\n"


def test_an_installed_critic_may_be_named(install: Install) -> None:
    registry = install("shouting", GOOD.format(name="shouting"))
    assert "shouting" in registry
    (principle,) = loaded(named("{shouting: {words: [A]}}"), catalogue=registry).principles
    assert principle.critics[0].config.model_dump() == {"words": ("A",)}
    assert problems(named("{shouting: {word: [A]}}"), catalogue=registry) == [
        "6:27: principles[0].critics[0].shouting.word: unknown key; did you mean 'words'?"
    ]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def (", "SyntaxError: "),
        ("", "AttributeError: "),
        ("raise ImportError('wrong machine')", "ImportError: wrong machine"),
    ],
    ids=["a missing module", "an error", "no Python", "no such name", "its own word"],
)
def test_a_critic_that_does_not_import_is_an_error_where_it_is_named(
    install: Install, code: str, said: str
) -> None:
    registry = install("shaky", code)
    (found,) = problems(named("shaky"), catalogue=registry)
    assert found.startswith(
        "6:15: principles[0].critics[0]: the critic 'shaky' (shaky_package:shaky) does not "
        f"import: {said}"
    )
    assert found.endswith("repair or uninstall its package")


def test_a_broken_critic_harms_only_who_names_it(install: Install) -> None:
    registry = install("shaky", "import no_such_module")
    assert problems(named("judge"), catalogue=registry) == []
    with pytest.raises(CriticError):
        registry["shaky"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "class fake: pass",
            "missing: name, version, tier, Config, bind, need, declared, critique",
        ),
        (GOOD.format(name="other") + "fake = other", "is not a critic of that name"),
    ],
    ids=["no critic", "another name"],
)
def test_what_is_no_critic_is_an_error_where_it_is_named(
    install: Install, code: str, said: str
) -> None:
    (found,) = problems(named("fake"), catalogue=install("fake", code))
    assert found.startswith("6:15: principles[0].critics[0]: the entry point 'fake'")
    assert said in found


def test_a_misspelt_critic_is_told_what_is_installed(install: Install) -> None:
    registry = install("shouting", GOOD.format(name="shouting"))
    assert problems(named("shoutin"), catalogue=registry) == [
        "6:15: principles[0].critics[0]: unknown critic; did you mean 'shouting'?"
    ]
    assert registry.meant("shoutin") == "shouting"


def test_a_critic_given_by_the_caller_stands_before_an_installed_one(install: Install) -> None:
    install("shouting", GOOD.format(name="shouting"))

    class Own:
        name, version, tier, Config = "shouting", "2.0.0", "deterministic", CriticConfig

    registry = CriticRegistry([Own])  # type: ignore[list-item]  # all that a catalogue looks at
    assert registry["shouting"].config is CriticConfig


def test_without_the_default_critics_every_principle_without_its_own_is_told() -> None:
    only = {"judge": CriticRegistry()["judge"]}
    (found,) = problems(ONE, catalogue=only)
    assert found == "4:5: principles[0]: unknown critic; known are judge"


def test_without_the_critic_for_it_personal_data_is_an_error() -> None:
    catalogue = {name: CriticRegistry()[name] for name in ("judge", "negative_examples")}
    assert problems(f"{ONE}pii: {{output: {{US_SSN: mask}}}}\n", catalogue=catalogue) == [
        "6:16: pii.output.US_SSN: unknown critic; known are judge, negative_examples"
    ]


def test_what_is_announced_may_be_named_before_anything_answers_to_it() -> None:
    assert CriticRegistry()["screen"].critic is None
    assert problems(named("screen")) == []


def test_a_critic_that_two_packages_offer_is_an_error_where_it_is_named(
    install: Install, tmp_path: Path
) -> None:
    install("shouting", GOOD.format(name="shouting"))
    folder = tmp_path / "again-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: again\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{GROUP}]\nshouting = again_package:shouting\n")
    assert problems(named("shouting"), catalogue=CriticRegistry()) == [
        "6:15: principles[0].critics[0]: two packages offer the critic 'shouting' "
        "(again_package:shouting and shouting_package:shouting); uninstall one"
    ]


def test_a_critic_is_known_until_its_package_goes(install: Install, tmp_path: Path) -> None:
    assert "shouting" in install("shouting", GOOD.format(name="shouting"))
    assert "shouting" in CriticRegistry()
    shutil.rmtree(tmp_path / "shouting-1.0.dist-info")
    later = tmp_path.stat().st_mtime_ns + 1_000_000_000  # its clock may be as coarse as 4 ms
    os.utime(tmp_path, ns=(later, later))
    assert "shouting" not in CriticRegistry()


FAILING = """
from typing import Any
from pydantic import field_validator
class Bad(Config):
    words: Any = ()
    {body}
shaky.Config = Bad
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "@field_validator('words')\n    def check(words): return words + 1",
            "TypeError: ",
        ),
        (
            "@field_validator('words')\n    def check(words): return object()",
            "PydanticSerializationError: ",
        ),
        ("def problems(self, principle): return 1 / 0", "ZeroDivisionError: division by zero"),
        ("def problems(self, principle): yield 5", "TypeError: "),
    ],
    ids=["a validator", "no JSON", "its check", "a check of another form"],
)
def test_a_critic_that_fails_on_its_settings_is_told_where_it_is_named(
    install: Install, body: str, said: str
) -> None:
    registry = install("shaky", GOOD.format(name="shaky") + FAILING.format(body=body))
    (found,) = problems(named("{shaky: {words: [a]}}"), catalogue=registry)
    line, _, what = found.partition(": principles[0].critics[0]")
    assert line in ("6:15", "6:23")
    assert f"the critic 'shaky' fails on its settings: {said}" in what
