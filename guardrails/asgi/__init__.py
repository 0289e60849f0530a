"""`GuardrailMiddleware`: any ASGI 3 application, held to a constitution. Judging is `guard`'s.

`routes` says which paths are guarded and how their bodies are written, `exchange` holds one request
and its response, `codings` and `messages` know HTTP's and ASGI's forms, `answers` what is said
instead. Requests are judged before the application sees them, responses before any of them leaves:
`held` has whole ones, `streaming` those that are judged while they come.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from guardrails.arguments import expect, expect_known
from guardrails.asgi.answers import Errors, send_answer, send_unrecorded
from guardrails.asgi.exchange import Exchange, Options
from guardrails.asgi.messages import ASGIApp, Receive, Scope, Send
from guardrails.asgi.routes import Routes, ambiguity, path_of
from guardrails.constitution.model import Constitution
from guardrails.errors import AuditError, SettingsError
from guardrails.exchange import Context, current_context
from guardrails.guard import Guard
from guardrails.wire.formats import BodyFormat, Named

__all__ = ["GuardrailMiddleware"]

BYTES_PER_CHARACTER = 4
ROOM_BESIDE_TEXT = 65_536
"""Bytes of a body that are not its texts."""

ContextOf = Context | Callable[[Scope], Context | Awaitable[Context | None] | None] | None

ErrorOf = Callable[[Scope, int, str], Mapping[str, object]]


class GuardrailMiddleware:
    """Hold an ASGI application to a constitution.

    Every path is guarded in the format `auto` unless `routes` names another for it, or `exempt`
    names the path, or `others="pass"` is said. A path is exact or ends in `/*`. Formats: `auto`,
    `anthropic`, `openai-chat`, `openai-responses`, `text`, `json` (every string is text), or JSON
    pointers into request and response: `"json: /message -> /answer"`, and for events whose data
    is JSON `"sse: /message -> /token"`, or a table, `{"sse": {"delta": "/token", …}}`.

    `context` says who is asking: a Context, or a callable (plain or async) that gets the scope.
    `refuse`: "reply" answers a blocked exchange in the format's own shape with status 200,
    "problem" with 403. `trust_system=True` takes system text in requests for the application's
    own. `max_body_bytes` bounds what is read of a request and of a response; the default has room
    for the constitution's `budget.max_chars`. `offline` and `options` are those of `Guard.load`.

    Raises SettingsError for what could not work, and what `Guard.load` raises.
    """

    def __init__(
        self,
        app: ASGIApp,
        guard: str | Path | Constitution | Guard,
        *,
        routes: Mapping[str, Named] | None = None,
        exempt: Iterable[str] = (),
        others: Literal["guard", "pass"] = "guard",
        context: ContextOf = None,
        refuse: Literal["reply", "problem"] = "reply",
        trust_system: bool = False,
        max_body_bytes: int | None = None,
        errors: ErrorOf | None = None,
        offline: bool = False,
        **options: Any,
    ) -> None:
        if refuse not in ("reply", "problem"):
            raise SettingsError(f"refuse={refuse!r}; expected 'reply' or 'problem'")
        expect_known(options, OPTIONS)
        _check(app, routes, exempt, context, trust_system, max_body_bytes, errors)
        if isinstance(guard, Guard):
            if offline or options:
                said = "offline" if offline else next(iter(options))
                raise SettingsError(
                    f"{said}= is said where a Guard is loaded, and this one is already"
                )
        else:
            guard = Guard.load(guard, offline=offline, **options)
        self.app = app
        self._guard = guard
        self._routes = Routes(routes or {}, exempt, others)
        self._context = context
        self._error_body = errors
        room = BYTES_PER_CHARACTER * guard.constitution.budget.max_chars + ROOM_BESIDE_TEXT
        self._options = Options(
            max_body_bytes=room if max_body_bytes is None else max_body_bytes,
            trust_system=trust_system,
            refuse=refuse,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        path = path_of(scope)
        unclear = ambiguity(scope)
        format = self._routes.format(path)
        if format is None and unclear is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await _refuse_websocket(scope, receive, send)
        elif unclear is not None:
            answer = self._errors(scope, format).answer(400, f"{unclear}; write it plainly")
            await send_answer(send, answer)
        elif format is not None:
            await self._guarded(scope, receive, send, format, path)

    async def _guarded(
        self, scope: Scope, receive: Receive, send: Send, format: BodyFormat, path: str
    ) -> None:
        """Nothing of the response has been sent when anything here fails, so it fails closed."""
        errors = self._errors(scope, format)
        try:
            async with self._guard.call(context=await self._caller(scope)) as call:
                exchange = Exchange(self.app, call, format, errors, self._options, path)
                await exchange.run(scope, receive, send)
        except AuditError as error:
            await send_unrecorded(error, errors, send)

    def _errors(self, scope: Scope, format: BodyFormat | None) -> Errors:
        body = self._error_body
        return Errors(format=format, body=None if body is None else partial(body, scope))

    async def _caller(self, scope: Scope) -> Context:
        said: object = self._context
        if callable(said):
            said = said(scope)
            if inspect.isawaitable(said):
                said = await said
        if said is None:
            return current_context()
        if not isinstance(said, Context):
            raise TypeError(f"context= must give a Context, not a {type(said).__name__}")
        return said


OPTIONS = [
    name
    for made in (GuardrailMiddleware, Guard.load)
    for name, parameter in inspect.signature(made).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
]


def _check(
    app: object,
    routes: object,
    exempt: object,
    context: object,
    trust_system: object,
    max_body_bytes: object,
    errors: object,
) -> None:
    """Raises SettingsError for an option of another type, which would fail at the first request, or
    stand for something that nobody meant."""
    expect("app", app, "an ASGI application", fits=callable(app))
    words = "a mapping of paths to formats, as {'/chat': 'text'}"
    expect("routes", routes, words, fits=routes is None or isinstance(routes, Mapping))
    for path, format in routes.items() if isinstance(routes, Mapping) else ():
        expect("routes", path, "paths that are texts", fits=isinstance(path, str))
        words = "a format, as 'text', or a table"
        expect(f"routes[{path!r}]", format, words, fits=isinstance(format, str | Mapping))
    paths = None if isinstance(exempt, str) else exempt
    expect("exempt", exempt, "a list of paths", fits=isinstance(paths, Iterable))
    expect(
        "context",
        context,
        "a Context, or a callable that gets the scope and gives one",
        fits=context is None or isinstance(context, Context) or callable(context),
    )
    expect("trust_system", trust_system, "True or False", fits=isinstance(trust_system, bool))
    most = max_body_bytes
    fits = most is None or (isinstance(most, int) and not isinstance(most, bool) and most > 0)
    expect("max_body_bytes", most, "a number of bytes above 0", fits=fits)
    expect("errors", errors, "a callable", fits=errors is None or callable(errors))


async def _refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """A handshake that is closed before it is accepted is answered with 403."""
    await receive()
    if "websocket.http.response" in (scope.get("extensions") or {}):
        answer = Errors().answer(403, "websockets are not guarded; exempt the path to allow them")
        headers = [(b"content-type", answer.media_type.encode())]
        await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": answer.data})
    else:
        await send({"type": "websocket.close", "code": 1008})
