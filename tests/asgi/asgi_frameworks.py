"""The same scripted application under every framework: what it says and sees is a `Script`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asgi_house import App, Script, Seen, plain_app

METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]


def _see(script: Script, request: Any, body: bytes) -> None:
    scope = request.scope
    headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
    extensions = scope.get("extensions") or {}
    script.seen.append(
        Seen(scope["method"], scope["path"], scope["query_string"], headers, body, extensions)
    )


def starlette(script: Script, paths: Sequence[str]) -> App:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    async def answer(request: Request) -> Response:
        _see(script, request, await request.body())
        said = script.said
        headers = {"content-type": said.media_type, **said.headers}
        if isinstance(said.body, bytes):
            return Response(said.body, said.status, headers)
        return StreamingResponse(said.stream(), said.status, headers)

    return Starlette(routes=[Route(path, answer, methods=METHODS) for path in paths])


def fastapi(script: Script, paths: Sequence[str]) -> App:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse

    app = FastAPI()

    async def answer(request: Any) -> Response:
        _see(script, request, await request.body())
        said = script.said
        headers = {"content-type": said.media_type, **said.headers}
        if isinstance(said.body, bytes):
            return Response(said.body, said.status, headers)
        return StreamingResponse(said.stream(), said.status, headers)

    answer.__annotations__ = {"request": Request, "return": Response}
    for path in paths:
        app.api_route(path, methods=METHODS, response_model=None)(answer)
    return app  # type: ignore[no-any-return]


def litestar(script: Script, paths: Sequence[str]) -> App:
    import litestar as module
    from litestar.response import Response, Stream

    async def answer(request: Any) -> Any:
        _see(script, request, await request.body())
        said = script.said
        headers = {"content-type": said.media_type, **said.headers}
        if isinstance(said.body, bytes):
            return Response(said.body, status_code=said.status, headers=headers)
        return Stream(said.stream, status_code=said.status, headers=headers)

    answer.__annotations__ = {"request": module.Request, "return": Response}
    paths = [path.replace("{rest:path}", "{rest:path}") for path in paths]
    route = module.route(list(paths), http_method=METHODS[:-1], media_type="text/plain")(answer)
    return module.Litestar(  # type: ignore[no-any-return]
        route_handlers=[route], openapi_config=None, logging_config=None
    )


def quart(script: Script, paths: Sequence[str]) -> App:
    import quart as module

    app = module.Quart("quart_under_test")

    async def answer(rest: str = "") -> Any:
        request = module.request
        _see(script, request, await request.get_data())
        said = script.said
        headers = {"content-type": said.media_type, **said.headers}
        body: Any = said.body if isinstance(said.body, bytes) else said.stream()
        return module.Response(body, status=said.status, headers=headers)

    for number, path in enumerate(paths):
        path = path.replace("{rest:path}", "<path:rest>").replace("{rest}", "<rest>")
        app.add_url_rule(path, f"answer{number}", answer, methods=METHODS[:-1])
    return app  # type: ignore[no-any-return]


FRAMEWORKS: dict[str, Callable[[Script, Sequence[str]], App]] = {
    "plain": lambda script, paths: plain_app(script),
    "starlette": starlette,
    "fastapi": fastapi,
    "litestar": litestar,
    "quart": quart,
}
