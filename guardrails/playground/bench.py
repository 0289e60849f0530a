"""The constitution under work: loaded again whenever its file, or a parent's, changes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from guardrails.audit.trail import MemoryTrail
from guardrails.authoring.cases import CaseResult, run_cases
from guardrails.authoring.lint import LintFinding, lint
from guardrails.constitution.find import find_constitution
from guardrails.constitution.load import load_constitution
from guardrails.constitution.model import Constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.errors import ConstitutionError, CriticError, Problem
from guardrails.guard import Guard
from guardrails.settings import Settings

__all__ = ["Bench", "State"]

POLL_S = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the file came to. `problems` say why it cannot be used; then `guard` is still that of
    the last version that could, if there was one."""

    revision: int = 0
    guard: Guard | None = None
    problems: tuple[Problem, ...] = ()
    findings: tuple[LintFinding, ...] = ()
    results: tuple[CaseResult, ...] = ()
    lines: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_stale(self) -> bool:
        return bool(self.problems)


class Bench:
    """Holds the state, and tells who waits when it changes. Nothing is put on record."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._name = name
        self._settings = settings.model_copy(update={"audit": "memory", "review_webhook": None})
        self._seen: object = None
        self._changed = asyncio.Event()
        self._ended = False
        self.file: Path | None = None
        self.state = State()

    def check_name(self) -> None:
        """Raises ConstitutionError if there is no such constitution at all."""
        file = self._find()
        if not file.is_file():
            raise ConstitutionError([Problem(file=str(file), what="there is no such file")])

    async def load(self) -> None:
        """Load the file anew; whatever is wrong with it becomes part of the state."""
        before = self.state
        try:
            loaded = await asyncio.to_thread(self._load)
        except ConstitutionError as error:
            self._become(problems=error.problems, guard=before.guard)
        except CriticError as error:
            problem = Problem(file=str(self.file or self._name), what=str(error))
            self._become(problems=(problem,), guard=before.guard)
        else:
            guard, findings = loaded
            results = await run_cases(guard.constitution)
            self._become(guard=guard, findings=findings, results=tuple(results))

    def _load(self) -> tuple[Guard, tuple[LintFinding, ...]]:
        registry = CriticRegistry()
        folder = self._settings.constitutions
        self.file = self._find()
        text = self.file.read_text(encoding="utf-8", errors="replace")
        constitution = load_constitution(self.file, catalogue=registry, folder=folder)
        trail = MemoryTrail(newest=10)
        guard = Guard.load(constitution, offline=True, settings=self._settings, trail=trail)
        return guard, tuple(lint(constitution, text, registry))

    def _find(self) -> Path:
        """The file; a name is looked up first."""
        if self.file is not None:
            return self.file
        if self._name.endswith((".yaml", ".yml")) or "/" in self._name:
            return Path(self._name)
        return find_constitution(self._name, self._settings.constitutions)

    def _become(
        self,
        *,
        guard: Guard | None,
        problems: tuple[Problem, ...] = (),
        findings: tuple[LintFinding, ...] = (),
        results: tuple[CaseResult, ...] = (),
    ) -> None:
        self.state = State(
            revision=self.state.revision + 1,
            guard=guard,
            problems=problems,
            findings=findings,
            results=results,
            lines=self._lines(),
        )
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _lines(self) -> tuple[str, ...]:
        """The file's lines, to show a problem where it stands."""
        try:
            text = (self.file or Path(self._name)).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ()
        return tuple(text.splitlines())

    async def changed_since(self, revision: int, *, patience_s: float) -> State:
        """The state once it is a later one, or as it is after a while."""
        if self.state.revision <= revision and not self._ended:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), patience_s)
        return self.state

    def end(self) -> None:
        """Let nobody wait any longer."""
        self._ended = True
        self._changed.set()

    async def watch(self) -> None:
        """Load again whenever a file changes; never ends by itself."""
        while True:
            await asyncio.sleep(POLL_S)
            seen = await asyncio.to_thread(self._stamps)
            if seen != self._seen:
                self._seen = seen
                await self.load()

    def remember(self) -> None:
        """Take the files as they are for known."""
        self._seen = self._stamps()

    def _stamps(self) -> tuple[object, ...]:
        """When each file that has a part in it was changed."""
        return tuple(_stamp(file) for file in self._files())

    def _files(self) -> list[Path]:
        guard = self.state.guard
        files = [self.file] if self.file else []
        for parent in guard.constitution.parents if guard else ():
            found = self._parent(guard.constitution if guard else None, parent)
            files += [found] if found else []
        return files

    def _parent(self, constitution: Constitution | None, named: str) -> Path | None:
        beside = Path(constitution.file).parent if constitution else None
        id = named.partition("@")[0]
        try:
            return find_constitution(id, self._settings.constitutions, beside=beside)
        except ConstitutionError:
            return None


def _stamp(file: Path) -> tuple[str, int, int]:
    try:
        found = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file), found.st_mtime_ns, found.st_size
