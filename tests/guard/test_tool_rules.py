"""Rules for tools, enforced through a guard: single calls, whole replies, what flows where, and
changed arguments that still fit their schema."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message
from guard_samples import Records, guard_in
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from guardrails.exchange import Part
from guardrails.guard import Guard
from guardrails.pipeline import views
from guardrails.text.normalise import View, normalise
from guardrails.verdict import Decision

RULES = r"""
schema: 1
id: house
version: 1.0.0
replies: {blocked: "No, not here."}
principles: []
pii: {tool_call: {CREDIT_CARD: mask}, output: {CREDIT_CARD: mask}}
tools:
  allow: [search, send_mail, read_web, pay]
  deny: [rm]
  rules:
    send_mail:
      arguments:
        to: {match: '[a-z]+@a\.example', required: true}
        body: {}
      additional: false
      never_from: [read_web]
    pay:
      arguments: {amount: {max: 100}}
"""
FINE = {"to": "ann@a.example", "body": "Hello."}
PAGE = "Ann, the order 77120 was shipped to the old address by mistake."


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return guard_in(tmp_path, RULES, offline=True)


def anthropic(name: str, arguments: Any, id: str = "c") -> Any:
    return {
        "id": "m", "type": "message", "role": "assistant", "model": "x",
        "stop_reason": "tool_use", "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "content": [{"type": "text", "text": "Yes."},
                    {"type": "tool_use", "id": id, "name": name, "input": arguments}],
    }  # fmt: skip


def chat(name: str, arguments: Any, id: str = "c") -> Any:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    called = {"id": id, "type": "function", "function": {"name": name, "arguments": text}}
    message = {"role": "assistant", "content": "Yes.", "tool_calls": [called]}
    return {
        "id": "c", "object": "chat.completion", "created": 1, "model": "x",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
    }  # fmt: skip


def responses(name: str, arguments: Any, id: str = "c") -> Any:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    call = {"type": "function_call", "id": "f", "call_id": id, "name": name, "arguments": text}
    return {
        "id": "r", "object": "response", "created_at": 1, "model": "x", "output": [call],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip


Ask = Callable[..., Any]


async def single(guard: Guard, name: str, arguments: Any, prompt: Any = ()) -> Decision:
    return await guard.check_tool_call(name, arguments, prompt=prompt)


def in_reply(make: Callable[..., Any], model: Any) -> Ask:
    async def ask(guard: Guard, name: str, arguments: Any, prompt: Any = ()) -> Decision:
        reply = model.model_validate(make(name, arguments))
        return await guard.check_output(reply, prompt=prompt)

    return ask


WAYS: dict[str, Ask] = {
    "single": single,
    "anthropic": in_reply(anthropic, Message),
    "chat": in_reply(chat, ChatCompletion),
    "responses": in_reply(responses, Response),
}
TEXTUAL = {name: WAYS[name] for name in ("single", "chat", "responses")}


@pytest.fixture(params=WAYS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return WAYS[request.param]


async def test_a_call_that_keeps_to_the_rules_goes_on(ask: Ask, guard: Guard) -> None:
    decision = await ask(guard, "send_mail", FINE)
    assert (decision.verdict, decision.findings) == ("allow", ())
    assert (await ask(guard, "search", {"anything": [1, {"x": None}]})).verdict == "allow"
    assert (await ask(guard, "search", {})).verdict == "allow"


BREACHES = {
    "a tool that is not listed": ("run", {}, "tools.allow"),
    "another letter case": ("Search", {}, "tools.allow"),
    "a blank": ("search ", {}, "tools.allow"),
    "another alphabet": ("se\u0430rch", {}, "tools.allow"),
    "nothing seen": ("search\u200b", {}, "tools.allow"),
    "no name": ("", {}, "tools.allow"),
    "a denied one": ("rm", {}, "tools.deny"),
    "a denied one, spelt": ("R-M", {}, "tools.deny"),
    "an address": ("send_mail", {"to": "ann@b.example"}, "tools.arguments.send_mail"),
    "another argument": ("send_mail", {**FINE, "bcc": "x"}, "tools.arguments.send_mail"),
    "a likeness": ("send_mail", {**FINE, "To": "x"}, "tools.arguments.send_mail"),
    "nothing where something must be": ("send_mail", {}, "tools.arguments.send_mail"),
    "too much": ("pay", {"amount": 101}, "tools.arguments.pay"),
    "a number in words": ("pay", {"amount": "5"}, "tools.arguments.pay"),
    "a list of them": ("pay", {"amount": [5, 500]}, "tools.arguments.pay"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "breached"), BREACHES.values(), ids=BREACHES)
async def test_one_that_does_not_is_blocked(
    name: str, arguments: Any, breached: str, ask: Ask, guard: Guard
) -> None:
    decision = await ask(guard, name, arguments)
    assert decision.verdict == "block"
    assert breached in decision.breaches
    assert decision.text == "No, not here."


BROKEN = [
    '{"to": "ann@a.example", "to": "x"}', '{"to": "ann@a.example"', "[]", "to", '"to"', "1",
    '{"to": "ann@a.example", "body": NaN}', "{'to': 'ann@a.example'}", "null", "\\", "{" * 500,
    '{"to": "ann@a.example", "body": "\\ud800"}', '{"body": ' + "[" * 99 + "]" * 99 + "}",
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("way", TEXTUAL)
async def test_arguments_that_cannot_be_read_in_one_way_are_never_delivered(
    way: str, text: str, guard: Guard
) -> None:
    decision = await WAYS[way](guard, "send_mail", text)
    assert decision.verdict == "block"


async def test_long_arguments_are_refused_or_judged(ask: Ask, guard: Guard) -> None:
    long = {**FINE, "body": "x" * 300_000}
    assert (await ask(guard, "send_mail", long)).verdict == "allow"
    page = [Part(text=PAGE, role="tool", kind="tool_result", name="read_web")]
    doubtful = await ask(guard, "send_mail", long, page)
    assert (doubtful.verdict, doubtful.cause) == ("block", "undecided")
    assert (await ask(guard, "send_mail", {**FINE, "body": "x" * 1_100_000})).verdict == "block"


async def test_one_forbidden_call_stops_the_reply(guard: Guard) -> None:
    reply = anthropic("search", {"q": "x"})
    reply["content"].append({"type": "tool_use", "id": "d", "name": "run", "input": {}})
    decision = await guard.check_output(Message.model_validate(reply))
    assert decision.breaches == ("tools.allow",)
    delivered = decision.content
    assert isinstance(delivered, Message)
    assert [block.type for block in delivered.content] == ["text"]
    assert delivered.stop_reason == "refusal"


async def test_a_part_of_a_call_is_a_call(guard: Guard) -> None:
    def part(name: str | None, text: str) -> list[Part]:
        return [Part(text=text, role="assistant", kind="tool_call", name=name)]

    async def of(parts: Any) -> str:
        return str((await guard.check(parts, stage="tool_call", prompt="Go on.")).verdict)

    assert await of(part("send_mail", json.dumps(FINE))) == "allow"
    assert await of(part("send_mail", '{"to": "x"}')) == "block"
    assert await of(part(None, json.dumps(FINE))) == "block"
    assert await of(json.dumps(FINE)) == "block"
    assert await of(FINE) == "block"
    assert await of({}) == "block"
    assert await of([Part(text="x", role="assistant")]) == "block"


@pytest.mark.parametrize("arguments", [FINE, {"to": "ann@a.example"}], ids=["text", "address"])
async def test_a_call_without_its_conversation_may_be_a_copy(
    ask: Ask, guard: Guard, arguments: dict[str, Any]
) -> None:
    decision = await ask(guard, "send_mail", arguments, None)
    assert (decision.verdict, decision.cause) == ("block", "undecided")
    (finding,) = decision.findings
    assert (finding.principle, finding.value) == ("tools.never-from.send_mail", "undecided")
    assert "what came before the call was not given" in finding.reason
    for said in ((), [], "", "Write to Ann.", {"messages": []}, [{"role": "user", "content": "x"}]):
        assert (await ask(guard, "send_mail", arguments, said)).verdict == "allow"


async def test_what_could_be_no_copy_needs_no_conversation(ask: Ask, guard: Guard) -> None:
    assert (await ask(guard, "search", {"query": "x" * 100}, None)).verdict == "allow"
    wrong = await ask(guard, "send_mail", {}, None)
    assert (wrong.cause, wrong.breaches) == ("policy", ("tools.arguments.send_mail",))
    assert {finding.value for finding in wrong.findings} == {"breach"}


async def test_a_copy_of_parts_that_are_judged_with_the_call_is_found(guard: Guard) -> None:
    call = Part(
        text=json.dumps({**FINE, "body": PAGE}),
        role="assistant",
        kind="tool_call",
        name="send_mail",
    )
    page = Part(text=PAGE, role="tool", kind="tool_result", name="read_web")
    decision = await guard.check([page, call], stage="tool_call")
    assert decision.breaches == ("tools.never-from.send_mail",)
    asked = Part(text="Go on.", role="user")
    assert (await guard.check([asked, call], stage="tool_call")).verdict == "allow"


async def test_the_rules_need_no_call_in_a_reply(guard: Guard) -> None:
    assert (await guard.check_output("I called run and rm.")).verdict == "allow"
    pieces = guard.stream(iter(["I called ", "run."]))
    assert "".join([piece async for piece in pieces]) == "I called run."


SECRET = "zq81f4-unique"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("send_mail", {"to": SECRET}),
        ("send_mail", {**FINE, SECRET: SECRET}),
        (SECRET, {"a": SECRET}),
        (f"{SECRET} x", {"a": SECRET}),
        ("pay", {"amount": SECRET}),
    ],
)
async def test_a_finding_never_says_a_value(
    name: str, arguments: Any, ask: Ask, guard: Guard
) -> None:
    decision = await ask(guard, name, arguments)
    assert decision.findings
    for finding in decision.findings:
        assert SECRET not in finding.reason
        assert SECRET not in repr(finding)
    assert SECRET not in repr(decision)


# -- what flows where ----------------------------------------------------------------------------


def turns(given: str, tool: str = "read_web", asked: str = "Write to Ann.") -> list[Any]:
    """A conversation in Anthropic's form in which a tool gave something."""
    call = {"type": "tool_use", "id": "t", "name": tool, "input": {}}
    answer = {"type": "tool_result", "tool_use_id": "t", "content": given}
    return [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [answer]},
    ]


def chat_turns(given: str, tool: str = "read_web", asked: str = "Write to Ann.") -> list[Any]:
    call = {"id": "t", "type": "function", "function": {"name": tool, "arguments": "{}"}}
    return [
        {"role": "user", "content": asked},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t", "content": given},
    ]


def items(given: str, tool: str = "read_web", asked: str = "Write to Ann.") -> Any:
    call = {"type": "function_call", "call_id": "t", "name": tool, "arguments": "{}"}
    answer = {"type": "function_call_output", "call_id": "t", "output": given}
    return {"model": "x", "input": [{"role": "user", "content": asked}, call, answer]}


COPY = {**FINE, "body": "The order 77120 was shipped to the old address!"}


@pytest.mark.parametrize("before", [turns, chat_turns, items])
async def test_what_a_tool_gave_does_not_reach_another(before: Any, ask: Ask, guard: Guard) -> None:
    async def verdict(prompt: Any, arguments: Any = COPY, name: str = "send_mail") -> str:
        return str((await ask(guard, name, arguments, prompt)).verdict)

    decision = await ask(guard, "send_mail", COPY, before(PAGE))
    assert decision.breaches == ("tools.never-from.send_mail",)
    (finding,) = decision.findings
    assert (
        finding.reason == "send_mail: an argument holds what was copied from a result of read_web"
    )
    assert await verdict(before(PAGE, "search")) == "allow"
    assert await verdict(before(PAGE, "Read-Web")) == "block"
    assert await verdict(before("Nothing of the kind.")) == "allow"
    assert await verdict(before(PAGE), FINE) == "allow"
    assert await verdict(before(PAGE), COPY, "search") == "allow"
    assert await verdict(before(PAGE, asked=f"Tell Ann: {COPY['body']}")) == "allow"
    to_bo = {"to": "bo@a.example"}
    assert await verdict(before("mail bo@a.example"), to_bo) == "block"
    assert await verdict(before("mail bo@a.example", asked="To bo@a.example"), to_bo) == "allow"


@pytest.mark.parametrize("before", [turns, chat_turns])
async def test_a_result_of_an_unknown_tool_counts_as_every_tools(before: Any, guard: Guard) -> None:
    prompt = [before(PAGE, "search")[0], before(PAGE, "search")[2]]
    assert (await guard.check_tool_call("send_mail", COPY, prompt=prompt)).verdict == "block"


@given(st.text(max_size=40), st.text(max_size=40), st.integers(0, 20))
def test_a_copied_sentence_is_found_whatever_is_around_it(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, turn: int
) -> None:
    guard = guard_in(tmp_path_factory.mktemp("house"), RULES, offline=True)
    earlier = [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": "Yes."}]
    prompt = [*turns(f"{after} {PAGE} {before}"), *earlier * turn]
    arguments = {**FINE, "body": f"{before}\n{PAGE[5:60].upper()}\n{after}"}

    async def verdict() -> str:
        return str((await guard.check_tool_call("send_mail", arguments, prompt=prompt)).verdict)

    assert asyncio.run(verdict()) == "block"


# -- changed arguments ---------------------------------------------------------------------------

CARD = "4111 1111 1111 1111"
MASKED = "**** **** **** 1111"


def request(schema: Any, name: str = "pay") -> Any:
    return {
        "model": "x",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "Pay."}],
        "tools": [{"name": name, "input_schema": schema}],
    }


def said_to(decision: Decision) -> Any:
    """The arguments of the call that is delivered."""
    content: Any = decision.content
    if isinstance(content, Message):
        return content.content[1].input  # type: ignore[union-attr]
    if isinstance(content, ChatCompletion):
        return json.loads(content.choices[0].message.tool_calls[0].function.arguments)  # type: ignore[index, union-attr]
    if isinstance(content, Response):
        return json.loads(content.output[0].arguments)  # type: ignore[union-attr]
    return content


TEXT = {"type": "object", "properties": {"card": {"type": "string"}}}
FITTING: list[Any] = [TEXT, {}, True and {"additionalProperties": {"maxLength": 19}}]
UNFIT: list[Any] = [
    {"properties": {"card": {"pattern": "^[0-9 ]+$"}}},
    {"properties": {"card": {"enum": [CARD]}}},
    {"properties": {"card": {"type": "integer"}}},
    {"properties": {"card": {"$ref": "https://x.example"}}},
    "no schema",
]


@pytest.mark.parametrize("schema", FITTING, ids=["text", "any", "short"])
async def test_changed_arguments_that_fit_go_on(schema: Any, ask: Ask, guard: Guard) -> None:
    decision = await ask(guard, "pay", {"card": CARD}, request(schema))
    assert (decision.verdict, said_to(decision)) == ("redact", {"card": MASKED})


@pytest.mark.parametrize("schema", UNFIT, ids=["pattern", "enum", "type", "away", "none"])
async def test_changed_arguments_that_do_not_are_never_delivered(
    schema: Any, ask: Ask, guard: Guard
) -> None:
    decision = await ask(guard, "pay", {"card": CARD}, request(schema))
    assert decision.verdict == "block"
    assert "format.tool_schema" in [finding.principle for finding in decision.findings]
    other = await ask(guard, "pay", {"card": CARD}, request(schema, "search"))
    assert other.verdict == "redact"
    untouched = await ask(guard, "pay", {"card": "none"}, request(schema))
    assert untouched.verdict == "allow"


async def test_a_masked_number_is_no_number(ask: Ask, guard: Guard) -> None:
    schema = {"properties": {"card": {"type": "integer"}}}
    decision = await ask(guard, "pay", {"card": int(CARD.replace(" ", ""))}, request(schema))
    assert decision.verdict == "block"


async def test_changed_arguments_are_held_to_the_rules_again(tmp_path: Path, ask: Ask) -> None:
    rules = "{pay: {arguments: {card: {match: '[0-9 ]+'}}}}"
    text = f"{RULES.partition('tools:')[0]}tools: {{rules: {rules}}}\n"
    guard = guard_in(tmp_path, text, offline=True, trail=Records())
    decision = await ask(guard, "pay", {"card": CARD})
    assert decision.verdict == "block"


async def test_a_reply_without_calls_has_nothing_looked_for_in_what_came_before(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be long, and this is on the loop."""
    looked_at: list[str] = []

    def noted(text: str) -> View:
        looked_at.append(text)
        return normalise(text)

    monkeypatch.setattr(views, "normalise", noted)
    before = [Part(text=PAGE, role="tool", kind="tool_result", name="read_web")]
    assert (await guard.check_output("It was shipped.", prompt=before)).delivers
    assert looked_at == ["It was shipped."]
