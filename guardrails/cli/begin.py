"""`constitution new`: ask for what is not given, and write a constitution to begin with."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from guardrails.authoring.scaffold import SCHEMA_FILE, Plan, name_problem, scaffold, suggested_name
from guardrails.cli.outcome import Status
from guardrails.cli.reading import InputError
from guardrails.cli.screen import Screen, show, write_json
from guardrails.constitution.find import find_constitution
from guardrails.constitution.load import load_constitution, parse_constitution
from guardrails.constitution.model import Constitution
from guardrails.constitution.schema import json_schema
from guardrails.constitution.settle import REPLIES
from guardrails.constitution.spelling import did_you_mean
from guardrails.critic.registry import CriticRegistry
from guardrails.display.visible import visible
from guardrails.settings import load_settings
from guardrails.verdict import Stage

__all__ = ["Wishes", "begin"]

PARENT = "base"
NOTHING = "none"
"""Said in place of a parent."""

SUFFIXES = (".yaml", ".yml")

Ask = Callable[[str, str], str]
"""A question and its default → the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was typed; None is to be asked for, or left at its default."""

    name: str
    title: str | None = None
    owner: str | None = None
    extends: Sequence[str] | None = None
    languages: Sequence[str] | None = None
    stages: Sequence[Stage] | None = None
    into: Path | None = None


def begin(wishes: Wishes, *, ask: bool, force: bool, as_json: bool) -> int:
    """Write the file, and the schema beside it if there is none. Raises InputError and
    ConstitutionError."""
    _check_name(wishes.name)
    file = _file(wishes)
    if not force and (file.exists() or file.is_symlink()):
        raise InputError(f"{str(file)!r} is there already; choose another name, or say --force")
    asked = _asked if ask and sys.stdin.isatty() else _default
    text = _text(wishes, file, asked)
    constitution = parse_constitution(
        text, file=str(file), catalogue=CriticRegistry(), folder=_folder(file)
    )
    written = _write(file, text, force=force)
    if as_json:
        files = [str(one) for one in written]
        write_json(
            {"file": str(file), "written": files, "digest": constitution.digest, "status": 0}
        )
    else:
        show(*_told(written, constitution))
    return Status.FINE


def _check_name(name: str) -> None:
    problem = name_problem(name)
    if not problem:
        return
    meant = suggested_name(name)
    hint = f"; did you mean {meant!r}?" if meant else ", as 'customer-service'"
    raise InputError(f"{name[:100]!r} is no name for a constitution: {problem}{hint}")


def _file(wishes: Wishes) -> Path:
    into = wishes.into or load_settings().constitutions or Path()
    if into.suffix not in SUFFIXES or into.is_dir():
        return into / f"{wishes.name}{SUFFIXES[0]}"
    if into.name != f"{wishes.name}{SUFFIXES[0]}":
        raise InputError(
            f"{into.name!r} is no file for the constitution {wishes.name!r}: others find it as "
            f"'{wishes.name}.yaml'; name the folder, or that file"
        )
    return into


def _folder(file: Path) -> Path:
    """Where parents are looked for: beside the file, unless settings name a folder."""
    return load_settings().constitutions or file.parent


def _text(wishes: Wishes, file: Path, ask: Ask) -> str:
    said = wishes.name.replace(".", " ").replace("-", " ").capitalize()
    title = wishes.title if wishes.title is not None else ask("Title, for people", said)
    owner = wishes.owner if wishes.owner is not None else ask("Owner, the team that answers", "")
    extends = wishes.extends
    if extends is None:
        extends = _split(ask(f"Parents whose principles hold, too, or {NOTHING!r}", PARENT))
    parents = [_parent(name, file) for name in extends if name != NOTHING]
    languages = wishes.languages or _split(ask("Languages, as en or pt-br", "en"))
    stages = wishes.stages or _stages(ask(f"Stages, of {', '.join(Stage)}", "output"))
    plan = Plan(
        name=wishes.name,
        title=title.strip() or said,
        owner=owner.strip(),
        parents=[_with_range(parent) for parent in parents],
        languages=tuple(dict.fromkeys(languages)) or ("en",),
        replies=frozenset[str]().union(*map(_spoken, parents)),
        stages=tuple(stages),
    )
    return scaffold(plan, file=file.name)


def _asked(question: str, default: str) -> str:
    """What somebody types; an empty line is the default. Raises InputError if there is no more."""
    hint = f" [{default}]" if default else ""
    Screen(stderr=True).print(visible(f"{question}{hint}: "), end="")
    answer = sys.stdin.readline()
    if not answer:
        raise InputError("the questions were left without an answer; give options, or say --yes")
    return answer.strip() or default


def _default(question: str, default: str) -> str:
    return default


def _split(answer: str) -> list[str]:
    return answer.replace(",", " ").split()


def _stages(answer: str) -> list[Stage]:
    found = []
    for word in _split(answer):
        if word not in list(Stage):
            meant = did_you_mean(word, map(str, Stage)) or f"expected some of {', '.join(Stage)}"
            raise InputError(f"{word!r} is no stage; {meant}")
        found.append(Stage(word))
    return found


def _parent(name: str, file: Path) -> Constitution:
    """A parent as the file will find it: in the folder of the settings, beside it, or installed."""
    beside = file.parent
    place = find_constitution(name, load_settings().constitutions, beside=beside)
    return load_constitution(place, catalogue=CriticRegistry(), folder=_folder(file))


def _with_range(parent: Constitution) -> str:
    """All versions that promise to be like the one that is there; of an unfinished one only it."""
    core, label, _ = parent.version.partition("+")[0].partition("-")
    return f"{parent.id}@{parent.version if label else '^' + core.partition('.')[0]}"


def _spoken(parent: Constitution) -> frozenset[str]:
    """The languages of the replies that a parent has of its own."""
    if parent.reply_blocked == REPLIES["blocked"]:
        return frozenset()
    both = parent.reply_blocked.keys() & parent.reply_unavailable.keys()
    return frozenset(tag for said in both for tag in (said, said.partition("-")[0]))


def _write(file: Path, text: str, *, force: bool) -> list[Path]:
    """The file, and the schema that its first line names where none is beside it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w" if force else "x", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
        beside = file.parent / SCHEMA_FILE
        if beside.exists():
            return [file]
        schema = json.dumps(json_schema(CriticRegistry()), indent=2)
        beside.write_text(schema + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{str(file)!r} cannot be written: {error.strerror}") from None
    return [file, beside]


def _told(written: Sequence[Path], constitution: Constitution) -> list[Text]:
    file = str(written[0])
    named = shlex.quote(file)
    lines = [Text(visible(f"wrote {one}"), "green") for one in written]
    lines.append(Text(f"{len(constitution.tests)} tests to begin with. Edit the file, then:"))
    commands = (f"  constitution {command} {named}" for command in ("lint", "test", "show"))
    return [*lines, *(Text(visible(command), "bold") for command in commands)]
