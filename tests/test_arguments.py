"""Arguments that cannot be what is meant are told where they are given, on every surface."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from anthropic import Anthropic

from guardrails import Context, Guard, Settings, guarded, wrap
from guardrails.arguments import known_options
from guardrails.asgi import GuardrailMiddleware
from guardrails.audit.trail import MemoryTrail
from guardrails.errors import SettingsError

SETTINGS = Settings(audit="memory")
CLIENT = Anthropic(api_key="none")
GUARD = Guard.load("base", offline=True, settings=SETTINGS)


async def app(scope: Any, receive: Any, send: Any) -> None: ...


def answer(question: str) -> str:
    return question


def load(**options: Any) -> Any:
    return Guard.load("base", **{"offline": True, "settings": SETTINGS, **options})


def decorate(**options: Any) -> Any:
    return guarded("base", **{"offline": True, "settings": SETTINGS, **options})(answer)


def wrapped(**options: Any) -> Any:
    return wrap(CLIENT, "base", **{"offline": True, "settings": SETTINGS, **options})


def behind(**options: Any) -> Any:
    made: dict[str, Any] = {"offline": True, "settings": SETTINGS, **options}
    return GuardrailMiddleware(app, "base", **made)


def behind_guard(**options: Any) -> Any:
    return GuardrailMiddleware(app, GUARD, **options)


SURFACES = {"load": load, "guarded": decorate, "wrap": wrapped, "middleware": behind}
Surface = Callable[..., Any]


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_a_misspelt_option_is_told_with_the_nearest(surface: Surface) -> None:
    with pytest.raises(SettingsError, match=r"^ofline=: no such option; did you mean offline=\?$"):
        surface(ofline=True)
    with pytest.raises(SettingsError) as raised:
        surface(zzz=1, critcs=())
    first, second = str(raised.value).split("\n")
    assert first.startswith("zzz=: no such option; expected some of ")
    assert second == "critcs=: no such option; did you mean critics=?"


@pytest.mark.parametrize(
    ("surface", "option", "meant"),
    [
        (wrapped, "contxt", "context"),
        (wrapped, "concurent_input", "concurrent_input"),
        (decorate, "promt", "prompt"),
        (decorate, "on_blok", "on_block"),
        (behind, "route", "routes"),
        (behind_guard, "route", "routes"),
    ],
)
def test_options_of_each_surface_are_known(surface: Surface, option: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"{option}=: no such option; did you mean {meant}="):
        surface(**{option: None})


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"offline": "no"}, "offline=: expected True or False, not a value of the type str"),
        ({"settings": {}}, "settings=: expected Settings, not a value of the type dict"),
        ({"critics": "judge"}, "critics=: expected a list of critics' classes, not a value of the"),
        ({"critics": None}, "critics=: expected a list of critics' classes, not None"),
        ({"critics": [1]}, "critics=: expected a list of critics' classes, not one with a value"),
        ({"trail": "audit.db"}, "trail=: expected a Trail, not a value of the type str"),
        ({"trail": MemoryTrail}, "trail=: expected a Trail, not a value of the type type"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_options_of_a_guard_are_told_on_every_surface(
    surface: Surface, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        surface(**options)
    assert str(raised.value).startswith(told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"documents": ["question"]},
            "documents=: expected a parameter's name, not a value of the",
        ),
        ({"prompt": 3}, "prompt=: expected a parameter's name, not a value of the type int"),
        ({"reply_to": 3}, "reply_to=: expected a JSON pointer, as '/answer/text', not a value of"),
        ({"on_decision": "log"}, "on_decision=: expected a callable, not a value of the type str"),
        ({"context": {}}, "context=: expected a Context, a parameter's name or a callable, not a"),
        ({"concurrent_input": "yes"}, "concurrent_input=: expected True or False, not a value of"),
        ({"side_effects": None}, "side_effects=: expected True or False, not None"),
        ({"on_block": 3}, "on_block=: expected 'reply', 'raise' or a callable, not a value of the"),
        ({"on_block": "rais"}, "on_block='rais'; expected 'reply', 'raise' or a callable"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_options_of_the_decorator_are_told_at_decoration(options: Any, told: str) -> None:
    with pytest.raises(SettingsError) as raised:
        decorate(**options)
    assert str(raised.value).startswith(told)


def test_options_of_a_wrapped_client_are_told() -> None:
    with pytest.raises(SettingsError, match=r"^concurrent_input=: expected True or False"):
        wrapped(concurrent_input="yes")
    with pytest.raises(SettingsError, match=r"^on_block=: expected 'reply', 'raise' or a callable"):
        wrapped(on_block=b"secret")


@pytest.mark.parametrize("context", [{}, {"tenant": "a"}, "a", 0, Context])
def test_who_asks_is_a_context_or_nobody_is_asked_for(context: Any) -> None:
    told = "context=: expected a Context"
    with pytest.raises(SettingsError, match=told):
        GUARD.sync.check_output("hello", context=context)
    with pytest.raises(SettingsError, match=told):
        GUARD.sync.check_tool_call("a", {}, context=context)
    with pytest.raises(SettingsError, match=told):
        GUARD.stream(["hello"], context=context)


@pytest.mark.parametrize("name", [3, b"send_mail", ["send_mail"]])
def test_a_tool_has_a_name_that_is_a_text(name: Any) -> None:
    with pytest.raises(SettingsError, match="name=: expected the tool's name, not a value of the"):
        GUARD.sync.check_tool_call(name, {})


def test_the_signature_stays_for_people_and_checkers() -> None:
    @known_options
    def f(a: int, *, bee: int = 1) -> int:
        """Its words."""
        return a + bee

    assert f(1, bee=2) == 3
    assert str(inspect.signature(f)) == "(a: 'int', *, bee: 'int' = 1) -> 'int'"
    assert f.__doc__ == "Its words."
    for surface in (wrap, guarded, Guard.load):
        assert "offline" in inspect.signature(surface).parameters
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        f()  # type: ignore[call-arg]
