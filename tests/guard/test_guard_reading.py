"""What is handed over is read within bounds, and as whoever gets it will read it."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from guard_samples import Records

from guardrails.errors import WireFormatError
from guardrails.exchange import Part
from guardrails.guard import Guard
from guardrails.guard.content import INLINE_JSON, ToolCall, read_content
from guardrails.verdict import Stage, Verdict
from guardrails.wire import embedded

CARD = 4111111111111111


class Lying(str):
    def __str__(self) -> str:
        return "harmless"


@pytest.fixture
def parsed_in(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads in which JSON was parsed."""
    threads: list[int] = []
    parse = embedded.parse

    def watched(text: str) -> Any:
        threads.append(threading.get_ident())
        return parse(text)

    monkeypatch.setattr(embedded, "parse", watched)
    return threads


def called(arguments: str) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": arguments}
    call = {"id": "1", "type": "function", "function": function}
    return [{"role": "assistant", "content": None, "tool_calls": [call]}]


@pytest.mark.parametrize(
    ("stage", "value"),
    [(Stage.TOOL_CALL, lambda text: ToolCall("f", text)), (Stage.INPUT, called)],
    ids=["tool call", "conversation"],
)
async def test_promise_10_json_longer_than_may_be_judged_is_never_parsed(
    stage: Stage, value: Any, parsed_in: list[int]
) -> None:
    with pytest.raises(WireFormatError, match="longer than 99 characters"):
        await read_content(value(json.dumps(["a" * 100])), stage, 99)
    assert parsed_in == []
    assert await read_content(value(json.dumps(["a" * 100])), stage, 200)
    assert parsed_in == [threading.get_ident()]


def test_promise_10_a_guard_parses_no_more_json_than_its_constitution_lets_judge(
    guard: Guard, parsed_in: list[int]
) -> None:
    decision = guard.sync.check_tool_call("f", json.dumps(["a" * 5_000]))
    assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "limit")
    assert parsed_in == []


async def test_long_json_is_parsed_off_the_loop(parsed_in: list[int]) -> None:
    await read_content(ToolCall("f", json.dumps(["a" * INLINE_JSON])), Stage.TOOL_CALL)
    assert len(parsed_in) == 1
    assert parsed_in[0] != threading.get_ident()


def test_a_long_text_that_is_no_json_is_judged_as_a_text(guard: Guard) -> None:
    assert guard.sync.check_tool_call("f", "a" * 4_900).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    "arguments",
    [
        r'{"to": "forb\u0069dden",}',
        r'{"a": 1}{"to": "forb\u0069dden"}',
        r'{to: "forb\x69dden"}',
        r'"forb\u0069dden"',
        "\ufeff" + r'{"to": "forb\u{69}dden"}',
        r'// said {"to": "forb\u0069dden"}',
    ],
)
def test_promise_2_escapes_in_json_that_cannot_be_parsed_leave_it_undecided(
    arguments: str, guard: Guard
) -> None:
    decision = guard.sync.check_tool_call("send", arguments)
    assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "undecided")


@pytest.mark.parametrize("arguments", ['{"a": "cut o', r"print('\x41')", '{"a": 1,}'])
def test_json_that_cannot_be_parsed_is_a_text_if_it_hides_nothing(
    arguments: str, guard: Guard
) -> None:
    assert guard.sync.check_tool_call("run", arguments).verdict is Verdict.ALLOW


@pytest.mark.parametrize("text", [None, b"bytes", 7, Lying("forbidden")], ids=repr)
@pytest.mark.parametrize("name", [False, True], ids=["text", "name"])
def test_promise_10_a_part_without_text_is_refused(
    name: bool, text: Any, guard: Guard, records: Records
) -> None:
    if name and text is None:
        return
    part = Part(text="hello", name=text) if name else Part(text=text)
    decision = guard.sync.check([part], stage="output")
    assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "limit")
    assert [finding.principle for finding in decision.findings] == ["format.readable"]
    assert records.how() == [("output", "block", "reply")]


def test_promise_2_a_parts_name_is_judged_when_it_is_more_than_a_name(guard: Guard) -> None:
    hello = Part(text="hello", name="something forbidden")
    assert guard.sync.check([hello], stage="retrieval").verdict is Verdict.BLOCK
    parts = [Part(text="hello", name="Annual report 2026.pdf"), Part(text="bye", name="f")]
    decision = guard.sync.check(parts, stage="retrieval")
    assert decision.verdict is Verdict.ALLOW
    assert decision.content is parts
    assert decision.text == "hello\nbye"


def test_promise_1_a_parts_name_is_never_changed(guard: Guard) -> None:
    hello = Part(text="hello", name="the secret report")
    assert guard.sync.check([hello], stage="retrieval").verdict is Verdict.BLOCK
    changed = guard.sync.check([Part(text="a secret", name="our report")], stage="retrieval")
    assert changed.content == [Part(text="a ", name="our report")]


@pytest.mark.parametrize("arguments", [{"n": 7, "x": {None}}, {"n": 7}, '{"n": 7}'], ids=repr)
async def test_promise_2_every_number_of_a_tool_call_is_judged(arguments: object) -> None:
    content = await read_content(ToolCall("f", arguments), Stage.TOOL_CALL)
    assert [part.text for part in content.parts][:3] == ["f", "n", "7"]


async def test_a_changed_number_keeps_the_other_arguments() -> None:
    arguments = {"card": CARD, "pair": (1, 2)}
    content = await read_content(ToolCall("f", arguments), Stage.TOOL_CALL)
    assert content.rewrite({2: "[CARD]"}).value == {"card": "[CARD]", "pair": (1, 2)}
