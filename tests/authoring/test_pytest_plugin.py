"""pytest runs the tests of constitution files beside its own, and pays nothing without any."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import guardrails.authoring.pytest_items  # noqa: F401  # see `run`
from guardrails.critic.registry import CriticRegistry

pytest_plugins = ["pytester"]

MODULE = "guardrails.authoring.pytest_plugin"
INSTALLED = any(point.value == MODULE for point in entry_points(group="pytest11"))
Run = Callable[..., pytest.RunResult]
SCHEMA_LINE = "# yaml-language-server: $schema=constitution.schema.json\n"
HOUSE = """\
id: house
version: 1.0.0
principles:
  - id: h.card
    text: Names no card.
    critics: [{pattern: {breach: ['card \\d{4}']}}, judge]
"""
PASSES = "  - {name: a card, reply: card 1234, expect: block}\n"
FAILS = "  - {name: no card, reply: a card, expect: block, judge: {}}\n"
OPEN = "  - {name: in other words, reply: four digits, expect: block}\n"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of pytest in a folder of its own. What it imports is forgotten after each run, which
    extension modules do not bear: they are loaded before."""
    assert [*CriticRegistry().values()]
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("GUARDRAILS_AUDIT", "memory")
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")

    def run(*arguments: str) -> pytest.RunResult:
        with_plugin = () if INSTALLED else ("-p", MODULE)
        return pytester.runpytest_inprocess(*with_plugin, "-p", "no:cacheprovider", *arguments)

    return run


def house(pytester: pytest.Pytester, *tests: str, name: str = "house", head: str = "") -> Path:
    file = pytester.path / f"{name}.yaml"
    file.parent.mkdir(exist_ok=True)
    section = "tests:\n" + "".join(tests) if tests else ""
    file.write_text(head + HOUSE + section)
    return file


def test_the_plugin_is_installed_with_the_project() -> None:
    document = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'[project.entry-points.pytest11]\nconstitution = "{MODULE}"\n' in document


def test_each_test_is_an_item_of_its_name(pytester: pytest.Pytester, run: Run) -> None:
    house(pytester, PASSES, FAILS, OPEN)
    done = run("-v")
    done.assert_outcomes(passed=1, failed=1, skipped=1)
    done.stdout.fnmatch_lines(["house.yaml::a card PASSED*", "house.yaml::no card FAILED*"])


def test_a_failure_is_told_with_its_place_and_no_traceback(
    pytester: pytest.Pytester, run: Run
) -> None:
    house(pytester, PASSES, FAILS)
    done = run()
    done.stdout.fnmatch_lines(["*house.yaml:9: no card: expected block, got allow"])
    done.stdout.no_fnmatch_line("*Traceback*")
    done.stdout.no_fnmatch_line("*pytest_items*")


def test_what_only_a_judge_could_decide_is_skipped_with_its_reason(
    pytester: pytest.Pytester, run: Run
) -> None:
    house(pytester, OPEN)
    done = run("-rs")
    done.assert_outcomes(skipped=1)
    done.stdout.fnmatch_lines(["SKIPPED*house.yaml:8: not judged: only a judge can say: h.card"])


def test_or_fails_where_that_is_asked_for(pytester: pytest.Pytester, run: Run) -> None:
    house(pytester, OPEN)
    done = run("--constitution-strict")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*:8: in other words: not judged: only a judge can say: h.card"])


def test_one_test_can_be_chosen(pytester: pytest.Pytester, run: Run) -> None:
    house(pytester, PASSES, FAILS)
    run("house.yaml::a card").assert_outcomes(passed=1)
    run("-k", "other or no").assert_outcomes(failed=1, deselected=1)


def test_a_file_that_does_not_load_is_an_error_with_all_its_problems(
    pytester: pytest.Pytester, run: Run
) -> None:
    file = house(pytester, PASSES)
    file.write_text(file.read_text().replace("text:", "txt:").replace("expect", "expct"))
    done = run()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        ["*house.yaml:5:5: principles[[]0].txt: unknown key; did you mean 'text'[?]"]
    )
    done.stdout.fnmatch_lines(["*house.yaml:8:*expct: unknown key; did you mean 'expect'[?]"])


def test_an_unenforceable_constitution_fails_with_the_reason(
    pytester: pytest.Pytester, run: Run
) -> None:
    house(pytester, PASSES, head="replies: {blocked: Your card 1234.}\n")
    done = run()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*the reply 'blocked' (en) breaks 'h.card' at output*"])


def test_other_yaml_is_left_alone(pytester: pytest.Pytester, run: Run) -> None:
    (pytester.path / "other.yaml").write_text("services: {web: {image: x}}\n")
    (pytester.path / "broken.yaml").write_text("a: [\n")
    (pytester.path / "house.approvals.yaml").write_text(HOUSE + "tests: []\n")
    house(pytester, name="untested")
    run().assert_outcomes()


def test_a_file_that_names_the_schema_is_a_constitution(
    pytester: pytest.Pytester, run: Run
) -> None:
    file = house(pytester, head=SCHEMA_LINE)
    run().assert_outcomes()
    file.write_text(file.read_text().replace("text:", "txt:"))
    run().assert_outcomes(errors=1)


def test_names_cannot_command_the_terminal(pytester: pytest.Pytester, run: Run) -> None:
    house(pytester, '  - {name: "a\\e[2J\\nb", reply: card 1234, expect: block}\n')
    done = run("-v")
    done.assert_outcomes(passed=1)
    assert "house.yaml::a␛[2J b" in done.stdout.str()


# -- which files -----------------------------------------------------------------------------------


def test_an_option_of_the_ini_file_says_which(pytester: pytest.Pytester, run: Run) -> None:
    house(pytester, PASSES, name="rules/house")
    house(pytester, PASSES, PASSES, name="drafts/house")
    house(pytester, FAILS, name="house")
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "test_it.py").write_text("def test_it(): pass\n")
    ini = "[pytest]\nasyncio_default_fixture_loop_scope = function\ntestpaths = tests\n"
    pytester.makeini(f"{ini}constitutions = rules/*.yaml drafts/*.yaml\n")
    run().assert_outcomes(passed=4)
    run("tests").assert_outcomes(passed=1)
    run("house.yaml").assert_outcomes(failed=1)
    run("rules").assert_outcomes(passed=1)


def test_an_argument_says_which_and_adds_them(pytester: pytest.Pytester, run: Run) -> None:
    house(pytester, PASSES, name="rules/house")
    house(pytester, FAILS, name="drafts/house")
    (pytester.path / "test_it.py").write_text("def test_it(): pass\n")
    run("--constitutions", "rules/*.yaml").assert_outcomes(passed=2)
    run("--constitutions", "rules/*.yaml", "test_it.py").assert_outcomes(passed=2)
    run("--constitutions", f"{pytester.path}/**/*.yaml").assert_outcomes(passed=2, failed=1)


def test_files_are_shared_out_among_processes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDRAILS_AUDIT", "memory")
    house(pytester, PASSES, FAILS, OPEN)
    house(pytester, PASSES, name="rules/house")
    with_plugin = () if INSTALLED else ("-p", MODULE)
    done = pytester.runpytest_subprocess(*with_plugin, "-n", "2", "--constitutions", "*.yaml")
    done.assert_outcomes(passed=1, failed=1, skipped=1)


# -- what it costs ---------------------------------------------------------------------------------


def test_loading_it_imports_nothing_of_the_project_but_its_own_packages() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules)\n"
        f"import {MODULE}\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["guardrails", "guardrails.authoring", MODULE]


def test_a_run_without_constitutions_never_imports_what_reads_them(
    pytester: pytest.Pytester,
) -> None:
    (pytester.path / "other.yaml").write_text("services: {}\n")
    (pytester.path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    loaded = [n for n in sys.modules if n.startswith('guardrails')]\n"
        f"    assert sorted(loaded) == ['guardrails', 'guardrails.authoring', '{MODULE}']\n"
    )
    with_plugin = () if INSTALLED else ("-p", MODULE)
    pytester.runpytest_subprocess(*with_plugin).assert_outcomes(passed=1)
