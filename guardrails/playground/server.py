"""The page's server: this machine only, unless it is told otherwise.

A page of another site must neither read from it nor be judged by it: the Host header must name this
machine, a request from another origin is refused, and the page may load nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from guardrails.asgi.messages import BodyTooLongError, ClientLeftError, read_body
from guardrails.exchange import Context
from guardrails.playground.answers import decision_answer, state_answer
from guardrails.playground.bench import Bench
from guardrails.verdict import Decision

__all__ = ["LOOPBACK", "playground_app"]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
LARGEST_BODY = 1_000_000
PATIENCE_S = 25.0
"""How long a page's question for changes is held."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
PAGE = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Question(BaseModel):
    """What an author typed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: str = ""
    reply: str = ""
    language: Annotated[str, Field(max_length=35)] = ""
    attributes: Annotated[dict[str, str], Field(max_length=50)] = {}


def playground_app(bench: Bench, *, host: str, port: int) -> ASGIApp:
    """The application, for whoever reaches it under this name."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await bench.load()
        bench.remember()
        watching = asyncio.create_task(bench.watch())
        try:
            yield
        finally:
            watching.cancel()

    async def page(request: Request) -> Response:
        name, media_type = PAGE[request.url.path]
        content = files(__package__).joinpath("page", name).read_bytes()
        return Response(content, media_type=media_type)

    async def state(request: Request) -> Response:
        since = request.query_params.get("since", "0")
        known = int(since) if since.isascii() and since.isdecimal() and len(since) < 10 else 0
        return JSONResponse(state_answer(await bench.changed_since(known, patience_s=PATIENCE_S)))

    async def check(request: Request) -> Response:
        try:
            body = await read_body(request.receive, limit=LARGEST_BODY)
            question = Question.model_validate_json(body)
        except BodyTooLongError:
            return JSONResponse({"error": "that is too long to be tried here"}, 413)
        except ValidationError:
            return JSONResponse({"error": "that is no question of this page's"}, 400)
        except ClientLeftError:
            return Response(status_code=499)
        return JSONResponse(await _answered(bench, question))

    routes = [Route(path, page) for path in PAGE]
    routes += [Route("/state", state), Route("/check", check, methods=["POST"])]
    return _OnlyHere(Starlette(routes=routes, lifespan=lifespan), host, port)


async def _answered(bench: Bench, question: Question) -> dict[str, Any]:
    state = bench.state
    guard = state.guard
    if guard is None:
        return {"revision": state.revision, "decisions": []}
    context = Context(language=question.language or None, attributes=question.attributes)
    decisions: list[dict[str, Any]] = []

    def add(decision: Decision, text: str, part: int) -> None:
        decisions.append(decision_answer(decision, text, part, guard.constitution))

    if question.prompt:
        add(await guard.check_input(question.prompt, context=context), question.prompt, 0)
    if question.reply:
        prompt = question.prompt or None
        made = await guard.check_output(question.reply, prompt=prompt, context=context)
        add(made, question.reply, 0 if prompt is None else 1)
    return {"revision": state.revision, "decisions": decisions}


class _OnlyHere:
    """Refuses what does not come from a page of ours, and says what the page may load."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._app = app
        self._names = LOOPBACK | {host} if host in LOOPBACK else {host}
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_ours(headers):
            refused = JSONResponse({"error": "this page is served to this machine only"}, 403)
            await refused(scope, receive, send)
            return

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                raw = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *raw]}
            await send(message)

        await self._app(scope, receive, guarded)

    def _is_ours(self, headers: Mapping[bytes, str]) -> bool:
        if not self._names_us(f"//{headers.get(b'host', '')}"):
            return False
        origin = headers.get(b"origin")
        site = headers.get(b"sec-fetch-site", "same-origin")
        return (origin is None or self._names_us(origin)) and site in ("same-origin", "none")

    def _names_us(self, address: str) -> bool:
        try:
            found = urlsplit(address)
            return found.hostname in self._names and (found.port or 80) == self._port
        except ValueError:
            return False
