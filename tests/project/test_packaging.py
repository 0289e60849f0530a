"""What is pinned, shipped and tracked is whole, and names no machine and no registry."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks import proof

PROJECT = Path(__file__).parents[2]
FRAGMENT_KINDS = ("security", "verdict", "removed", "deprecated", "added", "changed", "fixed")

REGISTRIES = (
    *("py" + "pi.org", "python" + "hosted.org", "py" + "pi.python"),
    *("npm" + "js.org", "npm" + "js.com", "yarn" + "pkg.com", "crates" + ".io"),
    *("deb." + "debian.org", "security." + "debian.org", "archive." + "ubuntu.com"),
    *("proxy." + "golang.org", "maven." + "org", "conda" + ".anaconda.org", "ghcr" + ".io"),
)
PLACES = re.compile(r"(?<![\w.~-])/(?:root|home/(?!(?:ada|me)/)\w+|work|Users/(?!me/)\w+)/[\w.]")
"""Paths that only one machine has; made-up users are called `ada` and `me`."""


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return normalised(found[0])


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def tracked() -> tuple[Path, ...]:
    command = ["git", "ls-files", "-z"]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    files = (PROJECT / name for name in done.stdout.split("\0") if name)
    return tuple(file for file in files if file.is_file())


def constraints() -> list[str]:
    return (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def test_every_constraint_is_one_release_and_no_address() -> None:
    pin = re.compile(r"[a-z0-9-]+==[\w.]+(?: ; .+)?")
    assert not [line for line in constraints() if not pin.fullmatch(line)]


def test_constraints_hold_everything_that_pyproject_names() -> None:
    document = pyproject()
    named = {
        name_of(requirement)
        for requirement in (
            *document["project"]["dependencies"],
            *document["dependency-groups"]["dev"],
            *document["build-system"]["requires"],
        )
    }
    assert not named - {name_of(line) for line in constraints()}


def test_no_tracked_file_names_a_registry_or_a_place_on_one_machine() -> None:
    wrong = []
    here = (str(PROJECT) + "/", str(Path.home()) + "/")
    for file in tracked():
        text = file.read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), start=1):
            told = PLACES.search(line) or [word for word in (*REGISTRIES, *here) if word in line]
            if told:
                wrong.append(f"{file.relative_to(PROJECT)}:{number}")
    assert not wrong


def test_no_dependency_comes_from_an_address() -> None:
    requirements = [
        *pyproject()["project"]["dependencies"],
        *pyproject()["dependency-groups"]["dev"],
    ]
    assert not [text for text in requirements if "@" in text or urlsplit(text).scheme]


def test_what_the_source_distribution_names_is_there() -> None:
    wanted = pyproject()["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert not [name for name in wanted if not (PROJECT / name).exists()]


def test_entry_points_name_what_is_there() -> None:
    points = pyproject()["project"]["entry-points"]["guardrails.critics"]
    for point in points.values():
        module = PROJECT / point.partition(":")[0].replace(".", "/")
        assert module.with_suffix(".py").is_file() or (module / "__init__.py").is_file(), point


@pytest.mark.parametrize("package", ["guardrails", "critics", "constitutions"])
def test_types_are_shipped(package: str) -> None:
    assert (PROJECT / package / "py.typed").is_file()


def test_fragments_of_the_changelog_are_of_a_known_kind() -> None:
    files = [file for file in (PROJECT / "changelog.d").glob("*") if file.name != "README.md"]
    kinds = "|".join(FRAGMENT_KINDS)
    assert not [
        file.name for file in files if not re.fullmatch(rf"[\w-]+\.({kinds})\.md", file.name)
    ]


def test_every_benchmark_is_run_by_the_proof_or_by_hand() -> None:
    files = {file.name for file in (PROJECT / "benchmarks").glob("*.py")}
    run = {command[0] for command in proof.BENCHMARKS.values()}
    assert run <= files
    assert files - run - proof.BY_HAND <= {"proof.py", "__init__.py"}


def test_a_benchmark_that_fails_is_told_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = {"good": "print('{\"ms\": 1}')", "bad": "raise SystemExit(3)", "odd": "print('ms')"}
    for name, program in programs.items():
        (tmp_path / f"{name}.py").write_text(program, encoding="utf-8")
    monkeypatch.setattr(proof, "FOLDER", tmp_path)
    monkeypatch.setattr(proof, "BENCHMARKS", {name: (f"{name}.py",) for name in programs})
    output = tmp_path / "results.json"
    assert proof.main(["--output", str(output)]) == 1
    results = json.loads(output.read_text(encoding="utf-8"))["results"]
    assert results["good"]["result"] == {"ms": 1}
    assert "error" in results["bad"]
    assert "error" in results["odd"]
    assert proof.main(["--output", str(output), "good"]) == 0
    assert json.loads(output.read_text(encoding="utf-8"))["results"].keys() == programs.keys()


@pytest.mark.parametrize("document", ["THREAT_MODEL.md", "CONTRIBUTING.md"])
def test_a_test_that_a_document_names_is_there(document: str) -> None:
    text = (PROJECT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:tests/)?((?:[\w-]+/)*test_[a-z_]+\.py)`", text))
    assert not [name for name in named if not (PROJECT / "tests" / name).is_file()]
