"""The constitutions that requests are held to: loaded at start, and again when a file changes.

A file that cannot be loaded changes nothing: the constitution that was there stays. What has begun
under one ends under it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from guardrails.asgi import BYTES_PER_CHARACTER, ROOM_BESIDE_TEXT, GuardrailMiddleware
from guardrails.asgi.messages import ASGIApp, Scope
from guardrails.audit.trail import Trail, check_trail, open_trail
from guardrails.constitution.family import Stamp, family, stamps
from guardrails.errors import ConstitutionError, GuardrailsError, Problem, raise_together
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.proxy.account import known_models
from guardrails.proxy.answers import error_body
from guardrails.proxy.config import ServeConfig
from guardrails.proxy.counted import CountedTrail
from guardrails.proxy.metrics import Metrics, Pin
from guardrails.proxy.passage import PASSAGE, Passage
from guardrails.proxy.routes import Endpoint, Endpoints
from guardrails.settings import Settings, load_settings
from guardrails.telemetry import OwnText, log

__all__ = ["Hosted", "Hosting", "Standing"]

MOST_PROBLEMS = 20
SETTLE_S = 0.1
"""Editors write in steps: a change counts when nothing has changed for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which version of a constitution is in force, since when, and why not a newer one."""

    name: str
    pin: Pin
    since: datetime
    problems: tuple[str, ...] = ()
    refused_at: datetime | None = None

    @property
    def is_stale(self) -> bool:
        return self.refused_at is not None


class Hosted:
    """One constitution as it was loaded, around the relay."""

    def __init__(self, guard: Guard, relay: ASGIApp, config: ServeConfig, served: Endpoints):
        room = BYTES_PER_CHARACTER * guard.constitution.budget.max_chars + ROOM_BESIDE_TEXT
        self.guard = guard
        self.max_body_bytes = config.limits.body_bytes or room
        self.since = datetime.now(UTC)
        self._users = 0
        self._retired = False
        formats = {each.path: each.format for each in served.all if each.format is not None}
        options: dict[str, Any] = {
            "routes": formats,
            "context": _caller,
            "trust_system": config.trust_system,
            "max_body_bytes": self.max_body_bytes,
            "errors": _error,
        }
        self._guarded = GuardrailMiddleware(relay, guard, refuse=config.refuse, **options)
        # A refusal has no place in a count of tokens.
        self._counting = GuardrailMiddleware(relay, guard, refuse="problem", **options)

    @property
    def pin(self) -> Pin:
        made = self.guard.constitution
        return made.id, made.version, made.digest

    def application(self, endpoint: Endpoint) -> ASGIApp:
        return self._counting if endpoint.kind == "count" else self._guarded

    @contextmanager
    def used(self) -> Iterator[None]:
        """While somebody uses it, it is not closed."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if self._retired and not self._users:
                _closing(self.guard)

    def retire(self) -> None:
        """Close it once nobody uses it any more."""
        self._retired = True
        if not self._users:
            _closing(self.guard)


_tasks = set[asyncio.Task[None]]()


def _closing(guard: Guard) -> None:
    task = asyncio.get_running_loop().create_task(guard.aclose())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _caller(scope: Scope) -> Context:
    context: Context = scope[PASSAGE].context
    return context


def _error(scope: Scope, status: int, message: str) -> Mapping[str, object]:
    """As the gate writes them."""
    passage: Passage = scope[PASSAGE]
    passage.error = status
    return error_body(status, message, passage.provider, passage.request_id)


class Hosting:
    """`trail` stands in for the record that settings name, and is then the caller's to close."""

    def __init__(
        self,
        config: ServeConfig,
        relay: ASGIApp,
        served: Endpoints,
        metrics: Metrics,
        *,
        settings: Settings | None = None,
        trail: Trail | None = None,
    ) -> None:
        self._config, self._relay, self._served, self._metrics = config, relay, served, metrics
        settings = settings if settings is not None else load_settings()
        if trail is None:
            check_trail(settings)
        self._trail = CountedTrail(open_trail(settings) if trail is None else trail, metrics)
        self._owns_trail = trail is None
        if settings.audit_file is not None:  # as a guard finds its key that opens its own trail
            settings = settings.model_copy(update={"key_file": settings.key_path})
        self.settings = settings
        self.known_models = known_models(settings, config.models)
        self._hosted: dict[str, Hosted] = {}
        self._seen: dict[str, Mapping[Path, Stamp]] = {}
        self._made_of: dict[str, tuple[Path, ...]] = {}
        self._refused: dict[str, tuple[datetime, tuple[str, ...]]] = {}
        self._loading = asyncio.Lock()

    def load(self) -> None:
        """Load all of them. Raises what `Guard.load` raises, for all that cannot be loaded."""
        wrong: list[GuardrailsError] = []
        for name in self._config.constitutions:
            self._seen[name] = self._stamps(name)
            try:
                self._hosted[name] = hosted = self._host(name)
            except GuardrailsError as error:
                wrong.append(error)
                continue
            self._made_of[name] = tuple(self._seen[name])
            self._metrics.holds(name, hosted.pin, None, hosted.since.timestamp())
        raise_together(wrong)

    def __getitem__(self, name: str) -> Hosted:
        return self._hosted[name]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._hosted)

    async def probe(self, *, durably: bool = True) -> None:
        """Raises AuditError unless records can be written now; with `durably=False`, unless they
        would be taken, be it into a buffer."""
        await self._trail.probe(durably=durably)

    @property
    def guards(self) -> tuple[Guard, ...]:
        return tuple(hosted.guard for hosted in self._hosted.values())

    @property
    def standings(self) -> tuple[Standing, ...]:
        found = []
        for name, hosted in self._hosted.items():
            refused_at, problems = self._refused.get(name, (None, ()))
            found.append(
                Standing(
                    name=name,
                    pin=hosted.pin,
                    since=hosted.since,
                    problems=problems,
                    refused_at=refused_at,
                )
            )
        return tuple(found)

    async def watch(self) -> None:
        """Load again whatever has changed on disk; never ends by itself."""
        while True:
            await asyncio.sleep(self._config.reload_s)
            try:
                changed = await asyncio.to_thread(self._changed)
                if changed:
                    await asyncio.sleep(SETTLE_S)
                    await self.reload(changed)
            except Exception as error:  # a fault of ours must not end the watching
                log.error("looking for changed files failed", error=type(error).__name__)

    async def reload(self, names: tuple[str, ...] | None = None) -> bool:
        """Load these again, or all; whether that went well for each."""
        async with self._loading:
            done = [await self._reload(name) for name in names or self._config.constitutions]
        return all(done)

    async def aclose(self) -> None:
        """Close them all: what waits to be recorded is written."""
        for hosted in self._hosted.values():
            await hosted.guard.aclose()
        self._hosted.clear()
        for task in tuple(_tasks):
            if task.get_loop() is asyncio.get_running_loop():
                await task
        if self._owns_trail:
            await self._trail.aclose()

    async def _reload(self, name: str) -> bool:
        seen = await asyncio.to_thread(self._stamps, name)
        old = self._hosted[name]
        try:
            new = await asyncio.to_thread(self._host_anew, name)
        except (GuardrailsError, OSError) as error:
            self._seen[name] = seen  # it is told once, until the file changes again
            self._metrics.reloads.labels("refused").inc()
            self._metrics.holds_still(name)
            told = _told(error)
            self._refused[name] = datetime.now(UTC), tuple(told)
            for line in map(OwnText, told):
                log.error("a constitution is not reloaded; the old one stays", problem=line)
            return False
        self._seen[name] = seen
        self._made_of[name] = tuple(seen)
        self._hosted[name] = new
        self._refused.pop(name, None)
        old.retire()
        self._metrics.reloads.labels("done").inc()
        self._metrics.holds(name, new.pin, old.pin, new.since.timestamp())
        made = new.guard.constitution
        log.info(
            "a constitution is reloaded",
            constitution=f"{made.id}@{made.version}",
            digest=made.digest,
            changed=made.digest != old.guard.constitution.digest,
        )
        return True

    def _host(self, name: str) -> Hosted:
        guard = Guard.load(
            name, offline=self._config.offline, settings=self.settings, trail=self._trail
        )
        return Hosted(guard, self._relay, self._config, self._served)

    def _host_anew(self, name: str) -> Hosted:
        """Looked at behind it, too: the file may go while it is loaded."""
        _refuse_stand_ins(self._made_of[name], tuple(self._stamps(name)))
        new = self._host(name)
        _refuse_stand_ins(self._made_of[name], tuple(self._stamps(name)))
        return new

    def _stamps(self, name: str) -> Mapping[Path, Stamp]:
        return stamps(family([name], self.settings.constitutions))

    def _changed(self) -> tuple[str, ...]:
        return tuple(
            name for name in self._config.constitutions if self._stamps(name) != self._seen[name]
        )


def _refuse_stand_ins(before: Sequence[Path], now: Sequence[Path]) -> None:
    """A file of one's own goes before one of that name that ships. Were it gone for a moment, other
    rules would be in force. Raises ConstitutionError."""
    for file in before:
        others = [other for other in now if other.name == file.name and other != file]
        if others and not file.exists():
            raise ConstitutionError(
                [
                    Problem(
                        file=str(file),
                        what=f"{file} is gone, and {others[0]} would stand in for it",
                        hint="put it back, or start again to be held to the other one",
                    )
                ]
            )


def _told(error: GuardrailsError | OSError) -> list[str]:
    """What is wrong, each at its place; the texts of a constitution are not a user's."""
    if isinstance(error, ConstitutionError):
        more = len(error.problems) - MOST_PROBLEMS
        rest = [f"and {more} more; `constitution lint` tells them all"] if more > 0 else []
        return [*map(str, error.problems[:MOST_PROBLEMS]), *rest]
    if isinstance(error, GuardrailsError):
        return [str(error)]
    return [f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}"]
