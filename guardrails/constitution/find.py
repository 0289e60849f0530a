"""Where constitutions are: a folder, the file's own folder, or what packages offer."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from guardrails.constitution.forms import ID
from guardrails.constitution.spelling import did_you_mean
from guardrails.errors import ConstitutionError, Problem

__all__ = ["GROUP", "constitution_names", "find_constitution"]

GROUP = "guardrails.constitutions"
"""Entry points whose value is a package; NAME.yaml in its folder is the constitution NAME."""

SUFFIX = ".yaml"
LONGEST_NAME = 200


def find_constitution(name: str, folder: Path | None = None, *, beside: Path | None = None) -> Path:
    """The file of a constitution, first in `folder`, then `beside` its child, then in packages.

    Raises ConstitutionError that says what was meant. A name cannot lead out of a folder.
    """
    if len(name) <= LONGEST_NAME and re.fullmatch(ID, name):
        for places in (_given(folder), _given(beside), _installed()):
            files = [place / f"{name}{SUFFIX}" for place in places]
            found = {file.resolve(): file for file in files if file.is_file()}
            if len(found) > 1:
                raise _ambiguous(name, found.values())
            if found:
                return next(iter(found.values()))
    names = _names(folder, beside)
    known = f"there are {', '.join(names)}" if names else "no package offers any"
    hint = " ".join(filter(None, [did_you_mean(name, names), known]))
    raise ConstitutionError([Problem(file=name[:200], what="unknown constitution", hint=hint)])


def _ambiguous(name: str, files: Iterable[Path]) -> ConstitutionError:
    """Which of two is meant must not hang on the order of installed packages."""
    hint = f"uninstall one: {', '.join(sorted(map(str, files)))}"
    return ConstitutionError(
        [Problem(file=name, what="two packages offer the constitution", hint=hint)]
    )


def constitution_names(folder: Path | None = None) -> list[str]:
    """The names that `find_constitution` knows."""
    return _names(folder, None)


def _names(folder: Path | None, beside: Path | None) -> list[str]:
    found = {
        file.stem
        for place in _folders(folder, beside)
        if place.is_dir()
        for file in place.glob(f"*{SUFFIX}")
        if re.fullmatch(ID, file.stem) and not file.stem.endswith(".approvals")
    }
    return sorted(found)


def _folders(folder: Path | None, beside: Path | None) -> Iterator[Path]:
    yield from (*_given(folder), *_given(beside), *_installed())


def _given(folder: Path | None) -> tuple[Path, ...]:
    return () if folder is None else (folder,)


def _installed() -> Iterator[Path]:
    for package in _packages(tuple(sys.path)):
        yield from _of_package(package)


@lru_cache(maxsize=4)
def _packages(path: tuple[str, ...]) -> tuple[str, ...]:
    """The packages that offer constitutions; `path` is where the interpreter looks for them."""
    return tuple(point.module for point in sorted(entry_points(group=GROUP)))


def _of_package(package: str) -> Iterator[Path]:
    """The package's folders, found without running its code."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return
    if spec is not None:
        yield from map(Path, spec.submodule_search_locations or ())
