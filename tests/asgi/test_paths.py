"""Which paths are guarded: no spelling that a framework takes for a guarded path leads past."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from asgi_frameworks import FRAMEWORKS
from asgi_house import Records, Script, plain_app
from asgi_server import ask, connected, request_bytes, serving

from guardrails.asgi import GuardrailMiddleware
from guardrails.asgi.routes import Routes, ambiguity, path_of
from guardrails.errors import SettingsError
from guardrails.guard import Guard

BEFORE = (
    "/", "//", "///", "/./", "/x/../", "/health/../", "/open/../", "/open/%2e%2e/", "/%2e/", "/%2f",
    "\\", "/\\", "", "http://localhost/", "//localhost/", "/api/", "/open/api/", "/health/api/",
)  # fmt: skip
NAMES = (
    "chat", "chat/", "chat//", "%63hat", "chat%2f", "chat%00", "chat;a=b", "chat?a=b", "chat%3fa",
    "chat/.", "chat%20", "chat%5c", "chat\\", "./chat", "chat/..;/", "cha%2574", "CHAT", "chat%2e",
)  # fmt: skip
ALL = [before + name for before, name in itertools.product(BEFORE, NAMES)]
FEW = [before + "chat" for before in BEFORE] + ["/" + name for name in NAMES]


@pytest.mark.parametrize(
    "spellings", [FEW, pytest.param(ALL, marks=pytest.mark.proof)], ids=["few", "all"]
)
@pytest.mark.parametrize("http", ["httptools", "h11"])
@pytest.mark.parametrize("root", ["", "/api"], ids=["at the root", "below /api"])
@pytest.mark.parametrize("framework", ["starlette", "fastapi", "litestar", "quart"])
async def test_no_spelling_leads_past_the_guard(
    guard: Guard, script: Script, framework: str, root: str, http: str, spellings: list[str]
) -> None:
    app = FRAMEWORKS[framework](script, ["/chat"])
    named = GuardrailMiddleware(app, guard, routes={"/chat": "text"}, others="pass")
    spared = GuardrailMiddleware(app, guard, exempt=["/health", "/open/*"])
    for guarded in (named, spared):
        async with serving(guarded, http=http, root_path=root) as port:
            assert (await ask(port, "/chat", "hello")).status == 200
            assert [seen.body for seen in script.seen] == [b"hello"]
            script.seen.clear()
            for target in spellings:
                data = request_bytes(target, b"forbidden", headers={"content-type": "text/plain"})
                async with connected(port) as client:
                    await client.send(data)
                    with contextlib.suppress(ConnectionError):
                        await client.get()
                assert not script.seen, f"{target!r} reached the application"


def routed(target: str, **options: Any) -> str | None:
    format = Routes(
        options.get("routes", {}), options.get("exempt", ()), options.get("others", "guard")
    ).format(target)
    return None if format is None else format.name


ROUTES = {"/chat": "text", "/v1/*": "json", "/v1/chat/*": "openai-chat", "/v1/own": "text"}


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("/chat", "text"),
        ("/chat/", "text"),
        ("//chat", "text"),
        ("/chat//", "text"),
        ("/chatter", "auto"),
        ("/chat/more", "auto"),
        ("/v1", "auto"),
        ("/v1/", "json"),
        ("/v1/x", "json"),
        ("//v1//x", "json"),
        ("/v1/chat/completions", "openai-chat"),
        ("/v1/chat", "json"),
        ("/v1/own", "text"),
        ("/v1/own/", "text"),
        ("/", "auto"),
    ],
)
def test_the_closest_route_names_the_format(path: str, format: str) -> None:
    assert routed(path, routes=ROUTES) == format


@pytest.mark.parametrize(
    ("path", "is_guarded"),
    [
        ("/health", False),
        ("/health/", True),
        ("//health", True),
        ("/health/deep", True),
        ("/static/", False),
        ("/static/a/b", False),
        ("/static", True),
        ("/statics", True),
        ("/HEALTH", True),
    ],
)
def test_an_exempt_path_is_read_exactly(path: str, is_guarded: bool) -> None:
    assert (routed(path, exempt=["/health", "/static/*"]) is not None) == is_guarded


def test_an_exemption_beats_a_route_and_others_may_pass() -> None:
    assert routed("/chat", routes={"/*": "text"}, exempt=["/chat"]) is None
    assert routed("/other", routes={"/chat": "text"}, others="pass") is None
    assert routed("/chat/", routes={"/chat": "text"}, others="pass") == "text"


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"path": "/chat"}, "/chat"),
        ({"path": ""}, "/"),
        ({"path": "/api/chat", "root_path": "/api"}, "/chat"),
        ({"path": "/api/chat", "root_path": "/api/"}, "/chat"),
        ({"path": "/api", "root_path": "/api"}, "/"),
        ({"path": "/api/api/chat", "root_path": "/api"}, "/api/chat"),
        ({"path": "/chat", "root_path": "/api"}, "/chat"),
    ],
)
def test_a_path_is_read_below_where_the_application_is_mounted(
    scope: dict[str, Any], path: str
) -> None:
    assert path_of(scope) == path


@pytest.mark.parametrize(
    ("scope", "is_clear"),
    [
        ({"path": "/chat", "raw_path": b"/chat?a=%2f"}, True),
        ({"path": "/a b", "raw_path": b"/a%20b"}, True),
        ({"path": "/.well-known/x", "raw_path": b"/.well-known/x"}, True),
        ({"path": "/a...b", "raw_path": b"/a...b"}, True),
        ({"path": "/chat", "raw_path": None}, True),
        ({"path": "/a/b", "raw_path": b"/a%2Fb"}, False),
        ({"path": "/a/b", "raw_path": b"/a%2fb"}, False),
        ({"path": "/a\\b", "raw_path": b"/a%5Cb"}, False),
        ({"path": "/a\0", "raw_path": b"/a%00"}, False),
        ({"path": "/a/../b", "raw_path": b"/a/../b"}, False),
        ({"path": "/..", "raw_path": b"/.."}, False),
        ({"path": "/a/./b", "raw_path": b"/a/./b"}, False),
        ({"path": "/a.", "raw_path": b"/a%2e"}, False),
        ({"path": "http://h/chat", "raw_path": b"http://h/chat"}, False),
        ({"path": "/apichat", "root_path": "/api"}, False),
        ({"path": "/open/api/chat", "root_path": "/api"}, False),
    ],
)
def test_a_path_that_could_be_read_in_two_ways_is_refused(
    scope: dict[str, Any], is_clear: bool
) -> None:
    assert (ambiguity(scope) is None) == is_clear


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"routes": {"chat": "text"}}, "must be a path that starts with '/'"),
        ({"routes": {"/a*": "text"}}, "'*' may stand only at the end"),
        ({"routes": {"/*/a": "text"}}, "'*' may stand only at the end"),
        ({"routes": {"/chat": "xml"}}, "unknown format 'xml'"),
        ({"routes": {"/chat": "json: /a"}}, "'json: /message -> /answer'"),
        ({"routes": {"/chat": "json: a -> /b"}}, "'a' is no JSON pointer"),
        ({"routes": {"/chat": "json: /a -> "}}, "a pointer is missing"),
        ({"exempt": "/health"}, "a list of paths"),
        ({"exempt": ["health"]}, "must be a path that starts with '/'"),
        ({"others": "ignore"}, "expected 'guard' or 'pass'"),
        ({"refuse": "loudly"}, "expected 'reply' or 'problem'"),
        ({"offline": True}, "offline= is said where a Guard is loaded"),
        ({"trail": None}, "trail= is said where a Guard is loaded"),
    ],
    ids=str,
)
def test_what_could_not_work_fails_at_the_start(
    guard: Guard, script: Script, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        GuardrailMiddleware(plain_app(script), guard, **options)
    assert said in str(caught.value)


async def test_a_mounted_application_is_guarded_by_its_own_paths(
    guard: Guard, script: Script, records: Records
) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    inner = FRAMEWORKS["starlette"](script, ["/chat", "/health"])
    guarded = GuardrailMiddleware(
        inner, guard, routes={"/chat": "text"}, exempt=["/health"], others="pass"
    )
    outer = Starlette(routes=[Mount("/ai", guarded)])
    async with serving(outer) as port:
        blocked = await ask(port, "/ai/chat", "forbidden")
        passed = await ask(port, "/ai/health", "forbidden")
    assert (blocked.verdict, passed.verdict) == ("block", None)
    assert [seen.path for seen in script.seen] == ["/ai/health"]


async def test_a_root_path_of_fastapis_own_is_known_to_middleware_that_is_added(
    guard: Guard, script: Script
) -> None:
    app: Any = FRAMEWORKS["fastapi"](script, ["/chat"])
    app.root_path = "/api"
    app.add_middleware(GuardrailMiddleware, guard=guard, routes={"/chat": "text"}, others="pass")
    async with serving(app) as port:
        assert (await ask(port, "/api/chat", "hello")).body == b"fine"
        script.seen.clear()
        for path in ("/chat", "/api/chat", "/api/chat/"):
            await ask(port, path, "forbidden")
    assert not script.seen
