"""For pytest: the tests that stand in constitution files, one item each.

Installed with the project (entry point `pytest11`), so every run of pytest loads it: nothing but
pytest is imported here, and a YAML file is only looked at when pytest comes across it. What reads
constitutions is `pytest_items`, imported for the first of them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

__all__ = ["pytest_addoption", "pytest_collect_file", "pytest_configure"]

SUFFIXES = (".yaml", ".yml")
APPROVALS = ".approvals"
"""What stands beside a constitution and is none."""

HEAD_BYTES = 1024 * 1024
"""No constitution is larger."""

_SCHEMA_LINE = re.compile(rb"\A(?:\xef\xbb\xbf)?#[^\n]*\$schema=\S*constitution\.schema\.json")
_SECTIONS = (re.compile(rb"(?m)^principles:"), re.compile(rb"(?m)^tests:"))

_NAMED = pytest.StashKey[frozenset[Path] | None]()
"""The files that options name; None where none does, and files are known by what they hold."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("constitutions", "tests in constitution files")
    group.addoption(
        "--constitutions",
        metavar="GLOB",
        action="append",
        default=[],
        help="collect these files, and of those found otherwise no others; may be repeated",
    )
    group.addoption(
        "--constitution-strict",
        action="store_true",
        default=False,
        help="a test that only a judge could decide fails instead of being skipped",
    )
    parser.addini(
        "constitutions",
        type="args",
        default=[],
        help="globs of constitution files, from the root folder; without any, every YAML file that "
        "pytest comes across and that holds principles and tests, or names their schema first",
    )


def pytest_configure(config: pytest.Config) -> None:
    named = [*config.getoption("--constitutions"), *config.getini("constitutions")]
    files = {file for glob in named for file in _matching(config.rootpath, glob)}
    config.stash[_NAMED] = frozenset(files) if named else None
    asked = bool(config.getoption("--constitutions"))
    if asked or config.args_source is not pytest.Config.ArgsSource.ARGS:
        known = {Path(argument.partition("::")[0]).resolve() for argument in config.args}
        config.args += [str(file) for file in sorted(files) if not _is_below(file, known)]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix not in SUFFIXES or file_path.stem.endswith(APPROVALS):
        return None
    if not _is_wanted(file_path, parent):
        return None
    from guardrails.authoring.pytest_items import ConstitutionFile

    return ConstitutionFile.from_parent(parent, path=file_path)


def _matching(root: Path, glob: str) -> list[Path]:
    pattern = Path(glob).expanduser()
    if pattern.is_absolute():
        found = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
    else:
        found = root.glob(glob)
    return [file.resolve() for file in found if file.is_file()]


def _is_below(file: Path, folders: set[Path]) -> bool:
    return bool(folders.intersection((file, *file.parents)))


def _is_wanted(file: Path, parent: pytest.Collector) -> bool:
    named = parent.config.stash.get(_NAMED, None)
    if named is not None and file.resolve() in named:
        return True
    return (named is None or parent.session.isinitpath(file)) and _is_constitution(file)


def _is_constitution(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            text = opened.read(HEAD_BYTES)
    except OSError:
        return False
    return _SCHEMA_LINE.match(text) is not None or all(found.search(text) for found in _SECTIONS)
