"""`wrap`: a provider's client, held to a constitution. Judging is `guard`'s.

Every request of such a client goes through one place, where its bytes are judged before they are
sent, and every reply before the SDK reads it; so the SDK's own objects, helpers and streams hold
what was judged. `operations` knows which requests generate text, `tool_calls` finds what a reply
would run, `exchange` says what is done about a request, `drive` does it with a loop and without,
`proxied` stands in for the client, `streaming` hands out streams while they come, `transfer` puts
contents into requests and responses, `guarding` holds the values that pass between these. No SDK is
imported. May import lines 0 to 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast

from guardrails.arguments import expect, expect_on_block, known_options
from guardrails.audit.trail import Trail
from guardrails.clients.guarding import Guarding, OnBlock
from guardrails.clients.operations import WEBSOCKETS, refuse_guarded
from guardrails.clients.proxied import guarded_client, require_client
from guardrails.constitution.model import Constitution
from guardrails.critic.protocol import Critic
from guardrails.errors import SettingsError
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.verdict import Decision

__all__ = ["wrap"]

C = TypeVar("C")


@known_options
def wrap(
    client: C,
    guard: str | Path | Constitution | Guard,
    *,
    offline: bool = False,
    context: Context | Callable[[], Context | None] | None = None,
    on_block: OnBlock = "reply",
    on_decision: Callable[[Decision], Any] | None = None,
    concurrent_input: bool = False,
    trust_system: bool = True,
    allow: Iterable[str] = (),
    settings: Settings | None = None,
    critics: Iterable[type[Critic]] = (),
    trail: Trail | None = None,
) -> C:
    """A copy of an Anthropic or OpenAI client that holds every exchange to a constitution.

    It is of the client's own class and shares its connections; the client itself stays as it is.
    Closing it closes these, and the guard unless that was handed over.
    What is asked is judged before it is sent and what is answered before the caller sees it, tool
    calls one by one, too. Streams leave while they come, in the SDK's own type. A clean
    answer is the SDK's, byte for byte. Requests that generate text nobody judges, such as batches,
    raise SettingsError unless `allow` names them.

    `context` says who is asking: a Context, or a callable that gives one. `on_block`: "reply" gives
    the constitution's reply as the provider gives a refusal; "raise" raises Blocked; a callable
    (plain or async) gets the Decision, and what it gives is delivered, unjudged, and recorded as
    the application's own: a text in the reply's place, anything else as it is. `on_decision` is
    told every decision. `concurrent_input=True` judges the prompt beside the model's call and lets
    nothing out before it passes; async clients only. `trust_system=False`: system texts and tools
    are judged as if a stranger had written them. The other options are those of `Guard.load`.

    Raises SettingsError for what could not work, and what `Guard.load` raises.
    """
    is_async = require_client(client)
    expect_on_block(on_block)
    for name, said in (("concurrent_input", concurrent_input), ("trust_system", trust_system)):
        expect(name, said, "True or False", fits=isinstance(said, bool))
    if concurrent_input and not is_async:
        raise SettingsError(
            "concurrent_input=True needs an async client: a call that blocks cannot be called off"
        )
    if isinstance(allow, str):
        raise SettingsError(f"allow={allow!r}; expected a list of names")
    expect("allow", allow, "a list of names", fits=isinstance(allow, Iterable))
    allowed = frozenset(allow)
    fits = all(isinstance(name, str) for name in allowed)
    expect("allow", allow, "a list of names, each a text", fits=fits)
    expect(
        "context",
        context,
        "a Context, or a callable that gives one",
        fits=context is None or isinstance(context, Context) or callable(context),
    )
    told = on_decision
    expect("on_decision", told, "a callable", fits=told is None or callable(told))
    refuse_guarded(allowed)
    guarding = Guarding(
        owns_guard=not isinstance(guard, Guard),
        guard=_guard(guard, offline=offline, settings=settings, critics=critics, trail=trail),
        context=context,
        on_block=on_block,
        on_decision=on_decision,
        concurrent_input=concurrent_input,
        trust_system=trust_system,
        allow=allowed,
        websockets=bool(allowed & WEBSOCKETS),
    )
    return cast("C", guarded_client(client, guarding, is_async=is_async))


def _guard(constitution: str | Path | Constitution | Guard, **options: Any) -> Guard:
    if not isinstance(constitution, Guard):
        return Guard.load(constitution, **options)
    said = [name for name, value in options.items() if value]
    if said:
        raise SettingsError(f"{said[0]}= is said where a Guard is loaded, and this one is already")
    return constitution
