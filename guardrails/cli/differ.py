"""`constitution diff`: what parts two constitutions, or a file and what it was, in meaning."""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.text import Text

from guardrails.authoring.difference import EFFECTS, Change, Difference, Effect, difference
from guardrails.cli.documents import document
from guardrails.cli.marks import draw
from guardrails.cli.outcome import Status
from guardrails.cli.reading import InputError
from guardrails.cli.screen import Screen, colourful, show, write_json
from guardrails.constitution.load import load_constitution
from guardrails.constitution.model import Constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.display.pieces import Piece
from guardrails.display.visible import visible
from guardrails.errors import ConstitutionError
from guardrails.settings import load_settings

__all__ = ["show_difference", "show_since"]

STYLES: dict[Effect, str] = {
    "relaxed": "bold red",
    "tightened": "bold green",
    "changed": "bold yellow",
    "wording": "bold cyan",
    "none": "dim",
}
HEADS: dict[Effect, str] = {
    "relaxed": "relaxed: what was caught may pass now",
    "tightened": "tightened: what passed may be caught now",
    "changed": "changed: neither stricter nor milder",
    "wording": "wording: what a judge or a person reads",
    "none": "no effect on any decision",
}
SIGNS: dict[Effect, str] = {
    "relaxed": "-",
    "tightened": "+",
    "changed": "~",
    "wording": "w",
    "none": "·",
}
GIT_SECONDS = 30
MOST_TESTS = 10
"""More are counted, not listed."""


def show_difference(old: str, new: str, *, as_json: bool) -> int:
    """Compare two constitutions; the status is 1 if they differ in meaning. Raises
    ConstitutionError."""
    return _tell(difference(_load(old), _load(new)), as_json=as_json)


def show_since(name: str, revision: str, *, as_json: bool) -> int:
    """Compare a constitution's file with what it was at a revision of git, parents beside it
    included. Raises ConstitutionError, and InputError where git has no answer."""
    new = _load(name)
    old = _at(Path(new.file), revision)
    return _tell(difference(old, new), as_json=as_json)


def _load(name: str) -> Constitution:
    return load_constitution(name, catalogue=CriticRegistry(), folder=load_settings().constitutions)


# What a file was


def _at(file: Path, revision: str) -> Constitution:
    """The constitution as a revision has it: its folder, and the one that settings name, as they
    were; parents elsewhere are those installed now."""
    folders = [file.resolve().parent]
    named = load_settings().constitutions
    if named is not None and named.resolve() not in folders:
        folders.append(named.resolve())
    commit = _git(folders[0], "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    with TemporaryDirectory() as temporary:
        place = Path(temporary)
        for folder in folders:
            _check_out(folder, commit.strip(), place)
        was = place / file.name
        if not was.is_file():
            raise InputError(f"{str(file)!r} is not in revision {revision!r}; compare two files")
        try:
            found = load_constitution(was, catalogue=CriticRegistry(), folder=place)
        except ConstitutionError as error:
            problems = [replace(p, file=_named(p.file, place, revision)) for p in error.problems]
            raise ConstitutionError(problems) from None
    principles = tuple(
        replace(principle, place=_named(principle.place, place, revision))
        for principle in found.principles
    )
    return replace(found, principles=principles, file=_named(found.file, place, revision))


def _check_out(folder: Path, commit: str, place: Path) -> None:
    """The constitutions of a folder as a commit has them; those of a folder that git does not know
    as they are."""
    try:
        listed = _git(folder, "ls-tree", "-z", "--name-only", commit, "./")
    except InputError:
        for file in folder.glob("*.yaml"):
            shutil.copy(file, place / file.name)
        return
    for name in listed.split("\0"):
        if name.endswith((".yaml", ".yml")) and "/" not in name:
            text = _git(folder, "show", f"{commit}:./{name}")
            (place / name).write_text(text, encoding="utf-8", newline="")


def _named(place: str, folder: Path, revision: str) -> str:
    inside = place.removeprefix(f"{folder}/")
    return place if inside == place else f"{revision}:{inside}"


def _git(folder: Path, *arguments: str) -> str:
    """What git says. Raises InputError with what it complains about."""
    git = shutil.which("git")
    if git is None:
        raise InputError("git is not installed; compare two files instead of --git")
    try:
        done = subprocess.run(  # noqa: S603 - git with arguments of ours; a revision is verified
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"git did not answer in {GIT_SECONDS} s") from None
    if done.returncode:
        complaint = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputError(f"git: {(complaint or ['no answer'])[-1].removeprefix('fatal: ')}")
    return done.stdout.decode("utf-8", "surrogateescape")


# Telling


def _tell(found: Difference, *, as_json: bool) -> int:
    status = Status.FINE if found.same else Status.INTERVENED
    if as_json:
        counts = {effect: len(found.of(effect)) for effect in EFFECTS}
        write_json(
            {
                "same": found.same,
                "old": _pin(found.old),
                "new": _pin(found.new),
                "counts": counts,
                "changes": document(found.changes),
                "status": int(status),
            }
        )
    else:
        show(*_lines(found, colour=colourful(Screen())), lines=True)
    return status


def _pin(constitution: Constitution) -> dict[str, Any]:
    return {key: getattr(constitution, key) for key in ("id", "version", "digest", "file")}


def _lines(found: Difference, *, colour: bool) -> Iterator[Text]:
    old, new = found.old, found.new
    heads = [f"{one.id} {one.version} ({one.digest[:19]}…)" for one in (old, new)]
    yield Text(visible(f"{heads[0]} → {heads[1]}"), "bold")
    for effect in EFFECTS:
        changes = found.of(effect)
        if changes:
            yield Text()
            yield Text(f"{HEADS[effect]} ({len(changes)})", STYLES[effect])
        tests = [change for change in changes if change.about == "tests"]
        for change in changes:
            if change not in tests or len(tests) <= MOST_TESTS:
                yield from _change(change, colour=colour)
        if len(tests) > MOST_TESTS:
            kinds = Counter(change.what.rpartition(" ")[2] for change in tests)
            said = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
            yield Text(f"  {SIGNS['none']} tests: {said}", "dim")
    if found.same:
        yield Text("the same meaning: no decision can differ", "green")


def _change(change: Change, *, colour: bool) -> Iterator[Text]:
    line = Text(f"  {SIGNS[change.effect]} ", STYLES[change.effect])
    line.append(visible(change.about), "bold" if change.effect != "none" else "")
    if change.what != change.about:
        line.append(visible(f": {change.what}"), "")
    line.append_text(_values(change, colour=colour))
    if change.origin:
        line.append(visible(f"  (of {change.origin})"), "dim")
    yield line
    if change.reason:
        yield Text(visible(f"      {change.by}: {change.reason}"), "italic")


def _values(change: Change, *, colour: bool) -> Text:
    """What it was and what it is, in one line; of two texts, the words that differ."""
    was, now = change.was, change.now
    if change.key == "order" or (was is None and now is None):
        return Text()
    if isinstance(was, str) and isinstance(now, str) and change.effect == "wording":
        return Text(": ").append_text(draw(_words(was, now), colour=colour))
    if was is None or now is None:
        gone, come = ([Piece("old", _said(was))], [Piece("new", _said(now))])
        pieces = come if was is None else gone
        return Text(": ").append_text(draw(pieces, colour=colour))
    return Text(visible(f": {_said(was)} → {_said(now)}"))


def _said(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " · ".join(map(_said, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_said(inner)}" for key, inner in value.items())
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else f"{value}"


def _words(was: str, now: str) -> list[Piece]:
    old, new = _cut(was), _cut(now)
    pieces: list[Piece] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, start, end, first, last in matcher.get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(old[start:end])))
            continue
        pieces += Piece("old", "".join(old[start:end])), Piece("new", "".join(new[first:last]))
    return [piece for piece in pieces if piece.text]


def _cut(text: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", " ".join(text.split()))
