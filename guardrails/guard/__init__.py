"""A constitution, enforced: the one way through which every surface checks texts.

`call` is one guarded call, `content` reads what callers hand over, `ledger` writes down what was
decided. `reply` is one that leaves while it comes, `outbox` keeps the order of what it is made of,
`streamed_body` and `stream` are the two ways through: bytes of a format, pieces of a text. `turns`
is what is known of a conversation, `stores` the Redis that settings name, `sync` and `sync_stream`
adapt checks and streams to callers that cannot await. May import lines 0 to 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self, cast

from guardrails.arguments import expect, known_options
from guardrails.audit.keys import make_keys
from guardrails.audit.trail import Trail, open_trail
from guardrails.budget.daily import DailyBudgets, open_daily
from guardrails.constitution.load import load_constitution
from guardrails.constitution.model import Constitution
from guardrails.critic.protocol import Critic
from guardrails.critic.registry import CriticRegistry
from guardrails.errors import SettingsError
from guardrails.exchange import Context, Part, current_context
from guardrails.guard.call import Enforcement, GuardedCall
from guardrails.guard.content import ToolCall
from guardrails.guard.proven import prove
from guardrails.guard.stream import GuardedStream, Pieces
from guardrails.guard.sync import SyncGuard
from guardrails.guard.sync_stream import SyncGuardedStream
from guardrails.guard.turns import open_turns
from guardrails.pipeline.plan import make_plan
from guardrails.prompts.instructing import POSITIONS, Instructions, Position, instruct
from guardrails.review.webhook import webhook_of
from guardrails.settings import Settings, load_settings
from guardrails.verdict import Decision, Stage

__all__ = ["Guard", "GuardedCall", "GuardedStream", "SyncGuard", "SyncGuardedStream"]


class Guard:
    """Holds texts to a constitution. Works from any loop and thread; make it with `load`.

    Every check is on record before it returns. An async context manager: its end closes the record.
    """

    def __init__(self, enforcement: Enforcement, *, owns_trail: bool) -> None:
        self._enforcement = enforcement
        self._owns_trail = owns_trail

    @classmethod
    @known_options
    def load(
        cls,
        constitution: str | Path | Constitution,
        *,
        offline: bool = False,
        settings: Settings | None = None,
        critics: Iterable[type[Critic]] = (),
        trail: Trail | None = None,
    ) -> Self:
        """Load a constitution by its name or path, and everything it needs.

        `offline=True`: no model is asked, and what only one could settle is told as uncovered.
        `settings` stand in for those of the file and the environment, `trail` for the record that
        they name (and is then the caller's to close). `critics` stand before installed ones of
        the same name. Raises ConstitutionError, SettingsError, CriticError or AuditError for all
        that would keep a request from being judged.
        """
        expect("offline", offline, "True or False", fits=isinstance(offline, bool))
        expect("settings", settings, "Settings", fits=isinstance(settings, Settings | None))
        critics = _critics(critics)
        _expect_trail(trail)
        fits = isinstance(constitution, str | Path | Constitution)
        expect("constitution", constitution, "a name, a path or a Constitution", fits=fits)
        if settings is None:
            settings = load_settings()
        registry = CriticRegistry(critics)
        if not isinstance(constitution, Constitution):
            constitution = load_constitution(
                constitution, catalogue=registry, folder=settings.constitutions
            )
        owns_trail = trail is None
        lasts = owns_trail and settings.audit_file is not None
        key_file = settings.key_path if lasts else settings.key_file
        plan = make_plan(
            constitution,
            registry=registry,
            settings=settings,
            offline=offline,
            key_file=key_file,
        )
        prove(plan)
        daily = None if offline else _daily(settings, key_file)
        if trail is None:
            trail = open_trail(settings)
        return cls(
            Enforcement(
                plan=plan,
                trail=trail,
                settings=settings,
                webhook=webhook_of(settings),
                daily=daily,
                turns=open_turns(plan, settings, key_file),
            ),
            owns_trail=owns_trail,
        )

    @property
    def constitution(self) -> Constitution:
        return self._enforcement.plan.constitution

    @property
    def offline(self) -> bool:
        return self._enforcement.plan.offline

    @property
    def sync(self) -> SyncGuard:
        """The same checks without `await`."""
        return SyncGuard(self)

    async def check_input(self, content: object, *, context: Context | None = None) -> Decision:
        """Judge what goes in: a text, a list of messages, a provider's request, or any value whose
        strings are to be judged. What the application says itself (`system`) is context."""
        async with self.call(context=context) as call:
            return await call.check_and_deliver(content, stage=Stage.INPUT)

    async def check_output(
        self, reply: object, *, prompt: object = None, context: Context | None = None
    ) -> Decision:
        """Judge a reply: a text, an SDK's message, or any value whose strings are to be judged.
        `prompt` is what it answers, and only helps to judge it."""
        async with self.call(context=context) as call:
            return await call.check_and_deliver(reply, stage=Stage.OUTPUT, prompt=prompt)

    async def check(
        self,
        parts: Sequence[Part] | object,
        *,
        stage: Stage | str,
        prompt: object = None,
        context: Context | None = None,
    ) -> Decision:
        """Judge parts, or any value, at a stage: documents at `retrieval`, what a tool gave at
        `tool_result`. Raises SettingsError for an unknown stage."""
        async with self.call(context=context) as call:
            return await call.check_and_deliver(parts, stage=_stage(stage), prompt=prompt)

    async def check_tool_call(
        self,
        name: str,
        arguments: object,
        *,
        prompt: object = None,
        context: Context | None = None,
    ) -> Decision:
        """Judge a tool's arguments before it runs: a mapping, or the JSON that a model wrote. The
        decision's content are the arguments to call it with."""
        expect("name", name, "the tool's name", fits=isinstance(name, str | None))
        async with self.call(context=context) as call:
            return await call.check_and_deliver(
                ToolCall(name, arguments), stage=Stage.TOOL_CALL, prompt=prompt
            )

    def stream(
        self, pieces: Pieces, *, prompt: object = None, context: Context | None = None
    ) -> GuardedStream:
        """Judge a reply that comes in pieces; see `GuardedStream`."""
        return GuardedStream(
            self.call(context=context),
            pieces,
            prompt=prompt,
        )

    def instructions(
        self,
        position: Position = "both",
        *,
        stage: Stage | str = Stage.OUTPUT,
        language: str | None = None,
    ) -> Instructions:
        """The constitution as text for the application's own model, so that what it writes and how
        it is judged follow one text. A string with its `digest` and the template's `version`.

        All principles of the stage; but for `position="start"`, the gravest again at the end.
        `around(prompt)` puts it before, behind or on both sides of a system prompt. `language`
        chooses the reply that it is told to decline with. Raises SettingsError for an unknown
        position or stage.
        """
        if position not in POSITIONS:
            raise SettingsError(f"position={position!r}; expected one of {', '.join(POSITIONS)}")
        return instruct(
            self.constitution, position=position, stage=_stage(stage), language=language
        )

    def call(self, *, context: Context | None = None) -> GuardedCall:
        """One guarded call, for surfaces: its stages share a budget, and it is told what was
        really delivered. Without `context` it is the one set by `with guardrails.context(…)`."""
        expect("context", context, "a Context", fits=isinstance(context, Context | None))
        asking = current_context() if context is None else context
        return GuardedCall(self._enforcement, asking)

    async def aclose(self) -> None:
        """Write what waits and let go of the record. The end of the interpreter does so, too."""
        await self._enforcement.plan.aclose()
        if self._enforcement.daily is not None:
            await self._enforcement.daily.aclose()
        if self._enforcement.turns is not None:
            await self._enforcement.turns.aclose()
        if self._enforcement.webhook is not None:
            await self._enforcement.webhook.aclose()
        if self._owns_trail:
            await self._enforcement.trail.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        mode = ", offline" if self.offline else ""
        return f"<Guard {self.constitution.id}@{self.constitution.version}{mode}>"


def _daily(settings: Settings, key_file: Path | None) -> DailyBudgets | None:
    """What tenants and subjects may spend on models in a day; None if that is not limited."""
    if not settings.daily.limits_anything:
        return None
    return open_daily(settings, None if key_file is None else make_keys(key_file).derive("budget"))


def _critics(said: object) -> tuple[type[Critic], ...]:
    words = "a list of critics' classes"
    expect("critics", said, words, fits=isinstance(said, Iterable) and not isinstance(said, str))
    critics = tuple(cast("Iterable[type[Critic]]", said))
    for critic in critics:
        fits = isinstance(critic, type) and isinstance(getattr(critic, "name", None), str)
        expect("critics", critic, words, fits=fits, inside=True)
    return critics


def _expect_trail(said: object) -> None:
    """Else the first request would find that nothing can be recorded."""
    methods = (getattr(said, name, None) for name in ("digest", "begin", "open", "close"))
    fits = said is None or (not isinstance(said, type) and all(map(callable, methods)))
    expect("trail", said, "a Trail", fits=fits)


def _stage(named: Stage | str) -> Stage:
    try:
        return Stage(named)
    except ValueError:
        raise SettingsError(f"stage={named!r}; expected one of {', '.join(Stage)}") from None
