"""The way in: from a name, a path or a text to a `Constitution`, or to all that is wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from guardrails.constitution.find import SUFFIX, find_constitution
from guardrails.constitution.inherit import Resolved, resolve
from guardrails.constitution.model import Catalogue, Constitution
from guardrails.constitution.report import Report
from guardrails.constitution.settle import settle
from guardrails.constitution.source import MAX_BYTES, MAX_PROBLEMS, read_source
from guardrails.constitution.validate import Document, read_document
from guardrails.constitution.version import Range, Version
from guardrails.errors import ConstitutionError, Problem

__all__ = ["load_constitution", "parse_constitution"]

MAX_GENERATIONS = 20


def load_constitution(
    source: str | Path, *, catalogue: Catalogue, folder: Path | None = None
) -> Constitution:
    """Read a constitution by its name (first in `folder`) or its path.

    A text is a path if it ends in `.yaml` or `.yml` or holds a path's separator. Parents are found
    in `folder`, then beside the file, then in installed packages. Raises ConstitutionError with
    every problem found.
    """
    file = Path(source) if _is_path(source) else find_constitution(str(source), folder)
    text = _read(file)
    return _Loading(catalogue, folder).constitution(text, str(file), file.parent)


def parse_constitution(
    text: str | bytes, *, file: str, catalogue: Catalogue, folder: Path | None = None
) -> Constitution:
    """Read a constitution from its text; `file` is what messages call it."""
    return _Loading(catalogue, folder).constitution(text, file, None)


def _is_path(source: str | Path) -> bool:
    if isinstance(source, Path):
        return True
    separators = {os.sep, os.altsep, "/"} - {None}
    return source.endswith((SUFFIX, ".yml")) or any(sign in source for sign in separators if sign)


def _read(file: Path) -> bytes:
    """The file's bytes, at most one more than is allowed."""
    try:
        if not file.is_file():
            what = "there is no such file" if not file.exists() else "this is no file"
            raise ConstitutionError([Problem(file=str(file), what=what)])
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        what = f"cannot be read: {reason}"
        raise ConstitutionError([Problem(file=str(file), what=what)]) from None


@dataclass(slots=True)
class _Loading:
    """One load: parents are read once, however many ways lead to them, sound or not."""

    catalogue: Catalogue
    folder: Path | None
    parents: dict[Path, Resolved] = field(default_factory=dict)
    failed: dict[Path, Problem] = field(default_factory=dict)
    line: list[str] = field(default_factory=list)

    def constitution(self, text: str | bytes, file: str, beside: Path | None) -> Constitution:
        document, report = self._document(text, file)
        resolved = self._resolved(document, report, beside)
        constitution = settle(resolved, document, self.catalogue, report)
        _stop_at(report.problems)
        return constitution

    def _document(self, text: str | bytes, file: str) -> tuple[Document, Report]:
        source = read_source(text, file)
        document, problems = read_document(source, self.catalogue)
        if document is None:
            _stop_at(problems)
            raise AssertionError("a document is left out only with a problem")  # pragma: no cover
        return document, Report(source, problems)

    def _resolved(self, document: Document, report: Report, beside: Path | None) -> Resolved:
        """The file merged with its parents; raises if a parent is missing or wrong."""
        self.line.append(document.head.id)
        parents = [
            parent
            for index, named in enumerate(document.head.extends)
            if (parent := self._parent(named, beside, report.under("extends", index))) is not None
        ]
        self.line.pop()
        if len(parents) < len(document.head.extends):
            _stop_at(report.problems)
        return resolve(document, parents, self.catalogue, report)

    def _parent(self, named: str, beside: Path | None, report: Report) -> Resolved | None:
        name, _, versions = named.partition("@")
        if name in self.line:
            chain = " -> ".join([*self.line[self.line.index(name) :], name])
            report.add((), f"extends itself: {chain}", "take one of them out")
            return None
        if len(self.line) > MAX_GENERATIONS:
            report.add((), f"more than {MAX_GENERATIONS} generations of parents")
            return None
        try:
            file = find_constitution(name, self.folder, beside=beside)
        except ConstitutionError as error:
            (problem,) = error.problems
            report.add((), f"{problem.what} {name!r}", problem.hint)
            return None
        parent = self._ancestor(file, report)
        if parent is None:
            return None
        if parent.id != name:
            report.add((), f"the file of {name!r} has the id {parent.id!r}", "they must be one")
            return None
        if versions and Version(parent.version) not in Range(versions):
            what = f"{name} is installed in version {parent.version}, which is not in {versions!r}"
            report.add((), what, "change the range after reading what changed")
            return None
        return parent

    def _ancestor(self, file: Path, report: Report) -> Resolved | None:
        """A parent by its file; None with its problems said, at its second failure just one."""
        if file in self.failed:
            report.problems.append(self.failed[file])
        elif file not in self.parents:
            try:
                document, own = self._document(_read(file), str(file))
                self.parents[file] = self._resolved(document, own, file.parent)
                _stop_at(own.problems)
            except ConstitutionError as error:
                self.parents.pop(file, None)
                self.failed[file] = error.problems[0]
                report.problems.extend(error.problems)
        return self.parents.get(file)


def _stop_at(problems: list[Problem]) -> None:
    if problems:
        raise ConstitutionError(sorted(dict.fromkeys(problems))[:MAX_PROBLEMS])
