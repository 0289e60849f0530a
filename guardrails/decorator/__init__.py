"""`@guarded`: a function held to a constitution. Thin: all judging is `guard.Guard`'s.

`signature` reads the function at decoration, `steps` says what a guarded call does, `drive` does it
with a loop and without, `streams` is both for generators.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any, TypeVar, cast

from guardrails.arguments import expect, expect_on_block, known_options
from guardrails.audit.trail import Trail
from guardrails.constitution.model import Constitution
from guardrails.critic.protocol import Critic
from guardrails.decorator.drive import drive, drive_async
from guardrails.decorator.signature import Signature
from guardrails.decorator.steps import ContextOf, OnBlock, OnDecision, Plan
from guardrails.decorator.streams import stream, stream_async
from guardrails.errors import SettingsError, WireFormatError
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.wire.replies import NoPlaceError, reply_of_type

__all__ = ["guarded"]

F = TypeVar("F")


@known_options
def guarded(
    constitution: str | Path | Constitution | Guard,
    *,
    offline: bool = False,
    prompt: str | None = None,
    documents: str | None = None,
    reply_to: str | None = None,
    context: ContextOf = None,
    on_block: OnBlock = "reply",
    on_decision: OnDecision | None = None,
    concurrent_input: bool = False,
    side_effects: bool = True,
    settings: Settings | None = None,
    critics: Iterable[type[Critic]] = (),
    trail: Trail | None = None,
) -> Callable[[F], F]:
    """Hold a function to a constitution: what goes in and what comes out is judged.

    Functions, coroutines, generators of both kinds, methods and other callables keep their
    signature, type and docstring. What was redacted is what the function gets, or its caller. A
    blocked prompt never reaches the function. A generator's pieces are held until its whole text is
    judged; its `return` value is dropped, and nothing can be sent to it.

    `prompt` names the parameter that holds the prompt (found by itself if only one can),
    `documents` one whose texts are judged as retrieved documents. `context` says who is asking: a
    Context, a parameter's name, or a callable that gets the bound arguments.

    `on_block`: "reply" gives the constitution's reply in the shape of the return value, at the JSON
    pointer `reply_to` unless it is a string or a provider's reply, and raises Blocked where it has
    no place; "raise" raises Blocked; a callable (plain or async) gets the Decision, and what it
    gives is delivered, unjudged, and recorded as the application's own. `on_decision` is told every
    decision. The other options are those of `Guard.load`.

    Raises ConstitutionError or SettingsError at decoration for all that could not work.
    """
    if not isinstance(constitution, str | Path | Constitution | Guard):
        raise SettingsError(
            f"say which constitution: @guarded('medical'), not @guarded on a "
            f"{type(constitution).__name__}"
        )
    for option, said in (("concurrent_input", concurrent_input), ("side_effects", side_effects)):
        expect(option, said, "True or False", fits=isinstance(said, bool))
    _refuse_concurrent_input(concurrent_input, side_effects)
    for option, named in (("prompt", prompt), ("documents", documents)):
        expect(option, named, "a parameter's name", fits=isinstance(named, str | None))
    words = "a JSON pointer, as '/answer/text'"
    expect("reply_to", reply_to, words, fits=isinstance(reply_to, str | None))
    fits = isinstance(context, Context | str | None) or callable(context)
    expect("context", context, "a Context, a parameter's name or a callable", fits=fits)
    told = on_decision
    expect("on_decision", told, "a callable", fits=told is None or callable(told))
    expect_on_block(on_block)
    guard = _guard(constitution, offline=offline, settings=settings, critics=critics, trail=trail)

    def decorate(function: Any) -> Any:
        if isinstance(function, classmethod | staticmethod):
            return type(function)(decorate(function.__func__))
        signature = Signature.of(function)
        for name, option in ((documents, "documents"), (context, "context")):
            if isinstance(name, str):
                signature.require(name, option)
        plan = Plan(
            signature=signature,
            guard=guard,
            prompt=signature.prompt(
                prompt, besides=[name for name in (documents, context) if isinstance(name, str)]
            ),
            documents=documents,
            reply_to=reply_to,
            context=context,
            on_block=on_block,
            on_decision=on_decision,
        )
        if on_block == "reply":
            _require_place(signature, reply_to)
        return _wrapped(function, plan)

    return cast("Callable[[F], F]", decorate)


def _guard(constitution: str | Path | Constitution | Guard, **options: Any) -> Guard:
    if not isinstance(constitution, Guard):
        return Guard.load(constitution, **options)
    said = [name for name, value in options.items() if value]
    if said:
        raise SettingsError(f"{said[0]}= is said where a Guard is loaded, and this one is already")
    return constitution


def _refuse_concurrent_input(concurrent_input: bool, side_effects: bool) -> None:
    if concurrent_input and side_effects:
        raise SettingsError(
            "concurrent_input=True starts the function before its prompt is judged; "
            "say side_effects=False if it changes nothing"
        )
    if concurrent_input:
        raise SettingsError("concurrent_input=True: not yet")


def _require_place(signature: Signature, reply_to: str | None) -> None:
    """Raises SettingsError if it is plain already that a reply would have no place."""
    if isinstance(signature.returns, str) or signature.kind.endswith("generator"):
        return
    try:
        reply_of_type(signature.returns, "", reply_to)
    except NoPlaceError as error:
        raise SettingsError(
            f"{signature.name}: {error}. Say reply_to='/…' (a JSON pointer to where a reply goes), "
            f"on_block='raise', or on_block=a callable that gives what is returned then"
        ) from None
    except WireFormatError:
        return  # not without the function's own answer; Blocked is raised where there is none


def _wrapped(function: Any, plan: Plan) -> Any:
    match plan.signature.kind:
        case "coroutine":
            return _as(plan, function, _coroutine(function, plan))
        case "async_generator":
            return _as(plan, function, _async_generator(function, plan))
        case "generator":
            warning = _Warning(function, plan.signature.name)
            return _as(plan, function, _generator(function, plan, warning))
        case "function":
            warning = _Warning(function, plan.signature.name)
            return _as(plan, function, _function(function, plan, warning))


def _as(plan: Plan, function: Any, wrapper: Any) -> Any:
    wrapper.__qualname__ = plan.signature.name  # a partial has no name of its own
    wrapper.__name__ = plan.signature.name.rpartition(".")[2]
    updated = ("__dict__",) if inspect.isroutine(function) else ()
    wrapper = functools.update_wrapper(wrapper, function, updated=updated)
    wrapper.__guarded__ = True
    return wrapper


def _coroutine(function: Any, plan: Plan) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await drive_async(plan.steps(_bound(plan, args, kwargs)), function)

    return wrapper


def _function(function: Any, plan: Plan, warning: _Warning) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        warning.give_once()
        return drive(plan.steps(_bound(plan, args, kwargs)), function, plan.guard)

    return wrapper


def _async_generator(function: Any, plan: Plan) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[str, None]:
        async with aclosing(stream_async(plan, function, _bound(plan, args, kwargs))) as pieces:
            async for piece in pieces:
                _refuse_sent((yield piece))

    return wrapper


def _generator(function: Any, plan: Plan, warning: _Warning) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Generator[str, None, None]:
        warning.give_once()
        with closing(stream(plan, function, _bound(plan, args, kwargs))) as pieces:
            for piece in pieces:
                _refuse_sent((yield piece))

    return wrapper


def _bound(plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
    return plan.signature.parameters.bind(*args, **kwargs)


def _refuse_sent(value: object) -> None:
    if value is not None:
        raise TypeError(
            "nothing can be sent to a guarded generator: it may run ahead of what leaves"
        )


class _Warning:
    """Told once to who calls a plain function while a loop is running."""

    def __init__(self, function: Any, name: str) -> None:
        self._given = getattr(function, "__guarded__", False)  # the inner one tells it
        self._name = name

    def give_once(self) -> None:
        if self._given:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        self._given = True
        warnings.warn(
            f"{self._name} is a plain function under a running event loop, which waits while it is "
            f"judged; make it `async def`",
            RuntimeWarning,
            stacklevel=3,
        )
