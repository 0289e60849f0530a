"""Requests that no provider takes are errors, told by their place; all others are judged."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from asgi_house import Records, Said, Script, load_house, plain_app
from asgi_providers import PROVIDERS
from asgi_server import ask, serving
from hypothesis import given
from hypothesis import strategies as st

from guardrails.asgi import GuardrailMiddleware
from guardrails.asgi.answers import status_of, waiting
from guardrails.asgi.shapes import misshapen
from guardrails.verdict import Decision, Finding

JSON = "application/json"
HI = {"role": "user", "content": "hi"}

WRONG: dict[str, tuple[Any, str, str]] = {
    "no object": ([], "messages", "the body is no JSON object"),
    "a text": ("hi", "input", "the body is no JSON object"),
    "nothing": ({}, "messages", "'messages' is missing"),
    "no input": ({"model": "m"}, "input", "'input' is missing"),
    "an object": ({"messages": {}}, "messages", "'messages' is not a list"),
    "null": ({"messages": None}, "messages", "'messages' is not a list"),
    "a text for turns": ({"messages": "hi"}, "messages", "'messages' is not a list"),
    "a number": ({"input": 7}, "input", "'input' is not a text or a list"),
    "a turn that is none": ({"messages": [HI, 7]}, "messages", "messages[1] is no object"),
    "no role": ({"messages": [{"content": "hi"}]}, "messages", "messages[0].role is missing"),
    "a role that is none": (
        {"messages": [{"role": 7, "content": "hi"}]}, "messages", "messages[0].role is no text"),
    "a content that is none": (
        {"messages": [{"role": "user", "content": 7}]}, "messages",
        "messages[0].content is neither a text nor a list"),
    "a block that is none": (
        {"messages": [{"role": "user", "content": [7]}]}, "messages",
        "messages[0].content[0] is no object"),
    "a block without a type": (
        {"input": [{"role": "user", "content": [{"text": "hi"}]}]}, "input",
        "input[0].content[0].type is missing"),
}  # fmt: skip
FINE: dict[str, tuple[Any, str]] = {
    "turns": ({"messages": [HI, {"role": "assistant", "content": None}]}, "messages"),
    "none yet": ({"messages": []}, "messages"),
    "a role that is new": ({"messages": [{"role": "wizard", "content": "hi"}]}, "messages"),
    "texts for blocks": ({"messages": [{"role": "user", "content": ["hi"]}]}, "messages"),
    "a text": ({"input": "hi"}, "input"),
    "items": ({"input": [{"type": "function_call_output", "output": "4"}, HI]}, "input"),
    "a reference": ({"input": [{"id": "msg_1"}]}, "input"),
    "a prompt": ({"prompt": {"id": "p"}}, "input"),
}


@pytest.mark.parametrize(("document", "asks", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(document: Any, asks: str, told: str) -> None:
    assert misshapen(document, asks) == told


@pytest.mark.parametrize(("document", "asks"), FINE.values(), ids=FINE)
def test_what_a_provider_may_take_is_fine(document: Any, asks: str) -> None:
    assert misshapen(document, asks) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["messages", "input", "role", "content", "type"]) | st.text(), inner
        )
    ),
    max_leaves=20,
)


@given(VALUES, st.sampled_from(["messages", "input"]))
def test_whatever_comes_it_is_told_by_places_alone(document: Any, asks: str) -> None:
    said = misshapen(document, asks)
    place = r"(messages|input)(\[\d+\])(\.role|\.content(\[\d+\](\.type)?)?)?"
    assert said is None or re.fullmatch(
        rf"the body is no JSON object|('{asks}'|{place}) "
        r"is (missing|not a list|not a text or a list|no object|no text|neither a text nor a list)",
        said,
    )


def own_error(scope: Any, status: int, message: str) -> dict[str, object]:
    return {"oops": status, "at": scope["path"], "why": message}


@pytest.mark.parametrize("errors", [None, own_error], ids=["the format's", "one's own"])
@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_request_that_no_provider_takes_is_a_400(
    tmp_path: Path, script: Script, records: Records, name: str, errors: Any
) -> None:
    guarded = GuardrailMiddleware(
        plain_app(script), load_house(tmp_path, records), routes={"/*": name}, errors=errors
    )
    asks = "input" if name == "openai-responses" else "messages"
    async with serving(guarded, lifespan="off") as port:
        for body in ([], {}, {asks: 7}, {asks: [7]}, {asks: [{"content": "a secret"}]}):
            got = await ask(port, "/chat", json.dumps(body).encode(), media_type=JSON)
            assert (got.status, got.media_type, got.verdict) == (400, JSON, None)
            said = json.loads(got.body)
            assert b"secret" not in got.body
            if errors is None:
                assert said["error"]["type"] == "invalid_request_error"
            else:
                assert (said["oops"], said["at"]) == (400, "/chat")
    assert (script.seen, list(records.opened)) == ([], [])


async def test_ones_own_errors_stand_for_limits_too(
    tmp_path: Path, script: Script, records: Records
) -> None:
    script.said = Said(b"x" * 5_000)
    guarded = GuardrailMiddleware(
        plain_app(script), load_house(tmp_path, records), max_body_bytes=1_000, errors=own_error
    )
    async with serving(guarded, lifespan="off") as port:
        for body in (b"hi", b"x" * 2_000):
            got = await ask(port, "/chat", body, media_type="text/plain")
            assert (got.status, json.loads(got.body)["oops"]) == (413, 413)


def limited(decision: Decision, *limits: str) -> Decision:
    made = [
        Finding(
            principle=limit, critic="engine", value="undecided", cause="limit",
            action="block", severity="high", part=None, span=None, reason="",
        )
        for limit in limits
    ]  # fmt: skip
    return Decision(
        verdict=decision.verdict,
        cause="limit",
        constitution=decision.constitution,
        stage=decision.stage,
        content=None,
        text="",
        findings=tuple(made),
    )


@pytest.mark.parametrize(
    ("limits", "status", "told"),
    [
        (["budget.max_chars"], 413, []),
        (["budget.max_calls"], 413, []),
        (["budget.max_tokens"], 413, []),
        (["budget.max_cost_usd", "budget.deadline_s"], 413, []),
        (["format.readable"], 413, []),
        (["budget.deadline_s"], 429, ["retry-after"]),
        (["daily.tenant.max_calls"], 429, ["retry-after", "x-should-retry"]),
        (["daily.entries"], 429, ["retry-after", "x-should-retry"]),
    ],
)
async def test_only_where_it_may_help_is_a_client_told_to_ask_again(
    tmp_path: Path, records: Records, limits: list[str], status: int, told: list[str]
) -> None:
    decision = limited(await load_house(tmp_path, records).check_input("forbidden"), *limits)
    assert status_of(decision) == status
    assert [name for name, _ in waiting(status, decision)] == told
