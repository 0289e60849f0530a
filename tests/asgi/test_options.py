"""An option that cannot be what is meant is refused where the middleware is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgi_house import Records, load_house

from guardrails.asgi import GuardrailMiddleware
from guardrails.errors import SettingsError
from guardrails.guard import Guard
from guardrails.settings import Settings

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a list of routes": ({"routes": ["/chat"]}, "routes=: expected a mapping of paths to formats"),
    "a route to a number": ({"routes": {"/chat": 7}}, "routes['/chat']=: expected a format"),
    "a route that is a number": ({"routes": {7: "text"}}, "routes=: expected paths that are texts"),
    "an unknown format": ({"routes": {"/chat": "xml"}}, "unknown format 'xml'"),
    "one path for a list": ({"exempt": "/health"}, "exempt=: expected a list of paths"),
    "a number for a list": ({"exempt": 7}, "exempt=: expected a list of paths"),
    "a number in a list": ({"exempt": [7]}, "must be a path that starts with '/'"),
    "another word": ({"others": "skip"}, "others='skip'; expected 'guard' or 'pass'"),
    "another refusal": ({"refuse": "403"}, "refuse='403'; expected 'reply' or 'problem'"),
    "a tenant's name": ({"context": "a secret"}, "context=: expected a Context, or a callable"),
    "a word for no": ({"trust_system": "no"}, "trust_system=: expected True or False, not a value"),
    "nothing for no": ({"trust_system": None}, "trust_system=: expected True or False, not None"),
    "no bytes": ({"max_body_bytes": 0}, "max_body_bytes=: expected a number of bytes above 0"),
    "a size in words": ({"max_body_bytes": "1 MB"}, "max_body_bytes=: expected a number of bytes"),
    "a truth for a size": ({"max_body_bytes": True}, "max_body_bytes=: expected a number of bytes"),
    "no callable": ({"errors": {"error": 1}}, "errors=: expected a callable"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "told"), WRONG.values(), ids=WRONG)
def test_an_option_of_another_type(
    tmp_path: Path, records: Records, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        GuardrailMiddleware(_app, load_house(tmp_path, records), **options)
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


MADE: dict[str, tuple[Callable[[], Any], str]] = {
    "a misspelt option": (
        lambda: GuardrailMiddleware(_app, "base", offline=True, rotues={}, xyz=1),
        "rotues=: no such option; did you mean routes=?\nxyz=: no such option; expected some of"),
    "no application": (lambda: GuardrailMiddleware(None, "base", offline=True),  # type: ignore[arg-type]
                       "app=: expected an ASGI application, not None"),
    "a word for offline": (lambda: GuardrailMiddleware(_app, "base", offline="yes"),  # type: ignore[arg-type]
                           "offline=: expected True or False"),
    "no constitution": (lambda: Guard.load(None, offline=True),  # type: ignore[arg-type]
                        "constitution=: expected a name, a path or a Constitution, not None"),
    "a table of settings": (lambda: Guard.load("base", offline=True, settings={"audit": "memory"}),  # type: ignore[arg-type]
                            "settings=: expected Settings, not a value of the type dict"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "told"), MADE.values(), ids=MADE)
def test_what_cannot_be_made(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make()
    assert str(caught.value).startswith(told)


def test_all_options_together(tmp_path: Path, records: Records) -> None:
    GuardrailMiddleware(
        _app,
        load_house(tmp_path, records),
        routes={"/chat": "text"},
        exempt=("/health",),
        others="pass",
        context=lambda _: None,
        refuse="problem",
        trust_system=True,
        max_body_bytes=10_000,
        errors=lambda scope, status, message: {"error": message},
    )
    GuardrailMiddleware(_app, "base", offline=True, settings=Settings(audit="memory"))


async def _app(scope: Any, receive: Any, send: Any) -> None: ...
