"""Rules for tools on replies that leave while they come: a call leaves whole and judged, or never,
however the stream is cut and however its calls are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from guard_samples import guard_in
from hypothesis import given
from hypothesis import strategies as st

from guardrails.guard import Guard
from guardrails.guard.streamed_body import StreamedBody
from guardrails.wire.streams.anthropic import AnthropicReader
from guardrails.wire.streams.chat import ChatReader
from guardrails.wire.streams.responses import ResponsesReader

RULES = r"""
schema: 1
id: house
version: 1.0.0
replies: {blocked: "No, not here."}
principles: []
pii: {output: {CREDIT_CARD: mask}}
tools:
  allow: [look, send_mail]
  rules:
    send_mail:
      arguments: {to: {match: '[a-z]+', required: true}, body: {}, card: {}}
      additional: false
      never_from: [web_search]
"""
PAGE = "the old address was wrong, said the page"
FINE = {"to": "ann", "body": "Hello."}
BAD = {"to": "zq81f4@x.example"}
Json = dict[str, Any]


def anthropic(*blocks: tuple[Json, str]) -> list[Json]:
    """Events for blocks, each as it starts and with the JSON that its deltas add up to."""
    message = {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": []}
    usage = {"input_tokens": 1, "output_tokens": 1}
    events: list[Json] = [{"type": "message_start", "message": {**message, "usage": usage}}]
    for at, (block, written) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": at, "content_block": block})
        for piece in (written[n : n + 3] for n in range(0, len(written), 3)):
            delta = {"type": "input_json_delta", "partial_json": piece}
            events.append({"type": "content_block_delta", "index": at, "delta": delta})
        events.append({"type": "content_block_stop", "index": at})
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    events.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": 1}})
    return [*events, {"type": "message_stop"}]


def use(name: str, start: Any = None) -> Json:
    return {"type": "tool_use", "id": "c", "name": name, "input": start or {}}


def chat(*deltas: Json) -> list[Json]:
    def chunk(delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "x"}
        return {**head, "choices": [choice]}

    return [chunk({"role": "assistant"}), *map(chunk, deltas), chunk({}, "tool_calls")]


def function(arguments: Any, name: str | None = "send_mail", **more: Any) -> Json:
    body = {"arguments": arguments, **({} if name is None else {"name": name})}
    return {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": body, **more}]}


def piece(arguments: Any) -> Json:
    return {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}


def written(events: Sequence[Json]) -> bytes:
    told = []
    for event in events:
        named = f"event: {event['type']}\n" if "type" in event else ""
        told.append(f"{named}data: {json.dumps(event)}\n\n")
    return "".join(told).encode()


def responses(*items: tuple[Json, Sequence[str], Json | None]) -> list[Json]:
    """Events for calls: as each item is added, its arguments in pieces, and as it is in the end."""
    head = {"id": "r", "object": "response", "created_at": 1, "model": "x", "status": "in_progress"}
    events: list[Json] = [{"type": "response.created", "response": {**head, "output": []}}]
    whole = []
    for at, (item, pieces, done) in enumerate(items):
        added = {"type": "function_call", "id": "f", "call_id": "c", "status": "completed", **item}
        place = {"item_id": "f", "output_index": at}
        named = {"type": "response.output_item.added", "output_index": at}
        events.append({**named, "item": {**added, "arguments": ""}})
        kind = "response.function_call_arguments"
        events += ({"type": f"{kind}.delta", **place, "delta": piece} for piece in pieces)
        end = {**added, "arguments": "".join(pieces), **(done or {})}
        events.append({"type": f"{kind}.done", **place, "arguments": end["arguments"]})
        events.append({**named, "type": "response.output_item.done", "item": end})
        whole.append(end)
    response = {**head, "status": "completed", "output": whole}
    return [*events, {"type": "response.completed", "response": response}]


def only_at_its_end(item: Json) -> list[Json]:
    """A call that no event tells of but the last."""
    events = responses()
    events[-1]["response"]["output"] = [{"type": "function_call", "call_id": "c", **item}]
    return events


MAIL = {"name": "send_mail"}
SEARCH = (
    {"type": "server_tool_use", "id": "s", "name": "look", "input": {}}, '{"query": "a"}'
)  # fmt: skip
FOUND = {
    "type": "web_search_tool_result", "tool_use_id": "s",
    "content": [{"type": "web_search_result", "title": PAGE, "url": "https://a.example"}],
}  # fmt: skip

LEAVES: dict[str, list[Json]] = {
    "anthropic": anthropic((use("send_mail"), json.dumps(FINE)), (use("look"), "")),
    "after a result": anthropic(SEARCH, (FOUND, ""), (use("send_mail"), json.dumps(FINE))),
    "chat": chat(function("{"), piece('"to": "a'), piece('nn"}')),
    "chat at once": chat(function(json.dumps(FINE))),
    "chat without arguments": chat(function("", "look")),
    "responses": responses((MAIL, ['{"to": "a', 'nn"}'], None), ({"name": "look"}, [], None)),
    "responses at once": responses((MAIL, [json.dumps(FINE)], None)),
    "responses at the end": only_at_its_end({**MAIL, "arguments": json.dumps(FINE)}),
}
STAYS: dict[str, list[Json]] = {
    "a value": anthropic((use("send_mail"), json.dumps(BAD))),
    "another tool": anthropic((use("run"), "")),
    "its spelling": anthropic((use("Look"), "{}")),
    "another alphabet": anthropic((use("l\u043eok"), "{}")),
    "no name": anthropic((use(""), "{}")),
    "a key twice": anthropic((use("send_mail"), '{"to": "ann", "to": "zq81f4"}')),
    "half an object": anthropic((use("send_mail"), '{"to": "ann"')),
    "no object": anthropic((use("send_mail"), '["ann"]')),
    "said at the start": anthropic((use("send_mail", {"to": "zq81f4"}), "")),
    "said at the start, too": anthropic((use("send_mail", {"bcc": "zq81f4"}), json.dumps(FINE))),
    "said at the start without text": anthropic((use("send_mail", {"bcc": True}), "")),
    "a copy of a result": anthropic(
        SEARCH, (FOUND, ""), (use("send_mail"), json.dumps({"to": "ann", "body": f"So {PAGE}!"}))
    ),
    "chat: a value": chat(function('{"to": "zq81'), piece('f4@x.example"}')),
    "chat: another tool": chat(function("{}", "run")),
    "chat: named later": chat(function('{"to": "ann"}', None), function("", "send_mail")),
    "chat: not named": chat(function('{"to": "ann"}', None)),
    "chat: an object": chat(function({"to": "zq81f4"})),
    "chat: without arguments": chat(
        {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "run"}}]}
    ),
    "chat: whole": chat(
        {"tool_calls": [{"id": "c", "type": "function", "function": {
            "name": "send_mail", "arguments": '{"to": "zq81f4@x.example"}'}}]}
    ),
    "chat: the older form": chat({"function_call": {"name": "run", "arguments": "{}"}}),
    "responses: a value": responses((MAIL, ['{"to": "zq81', 'f4@x.example"}'], None)),
    "responses: another tool": responses(({"name": "run"}, ["{}"], None)),
    "responses: without arguments": responses((MAIL, [], None)),
    "responses: other arguments in the end": responses(
        (MAIL, [json.dumps(FINE)], {"arguments": json.dumps(BAD)})
    ),
    "responses: another name in the end": responses(
        ({"name": "look"}, ['{"q": "a"}'], {"name": "send_mail"})
    ),
    "responses: only at the end": only_at_its_end({**MAIL, "arguments": json.dumps(BAD)}),
    "responses: only at the end, nothing": only_at_its_end({**MAIL, "arguments": ""}),
    "responses: only at the end, a name": only_at_its_end({"name": "run"}),
    "responses: a key twice": responses((MAIL, ['{"to": "ann", "to": "zq81f4"}'], None)),
    "chat: a free text": chat(
        {"tool_calls": [{"index": 0, "id": "c", "type": "custom",
                         "custom": {"name": "run", "input": "zq81f4"}}]}
    ),
}  # fmt: skip


async def passed(
    guard: Guard, events: Sequence[Json], cuts: Sequence[int] = ()
) -> tuple[bytes, str]:
    """What leaves of a stream that is cut so, and the verdict."""
    data = written(events)
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    kind = str(events[0].get("type", ""))
    made = ResponsesReader if kind.startswith("response.") else AnthropicReader
    reader = made() if kind else ChatReader()
    async with guard.call() as call:
        prompt = [{"role": "user", "content": "Write to Ann."}]
        body = StreamedBody(await call.reply(prompt=prompt), reader, most_held=1_000_000)
        left = b"".join([await body.feed(data[start:end]) for start, end in pairwise(bounds)])
        left += await body.close()
        if body.reply.stopped:
            left += body.ending(status=None)
        decision = body.reply.decision
        await body.reply.close()
    assert decision is not None
    return left, str(decision.verdict)


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    return guard_in(tmp_path_factory.mktemp("house"), RULES, offline=True)


CUTS = st.lists(st.integers(0, 1 << 16), max_size=8)


@pytest.mark.parametrize("events", LEAVES.values(), ids=LEAVES)
@given(cuts=CUTS)
def test_a_call_that_keeps_to_the_rules_leaves_as_it_came(
    guard: Guard, events: list[Json], cuts: list[int]
) -> None:
    left, verdict = asyncio.run(passed(guard, events, cuts))
    assert (left, verdict) == (written(events), "allow")


@pytest.mark.parametrize("events", STAYS.values(), ids=STAYS)
@given(cuts=CUTS)
def test_nothing_of_one_that_does_not_ever_leaves(
    guard: Guard, events: list[Json], cuts: list[int]
) -> None:
    left, verdict = asyncio.run(passed(guard, events, cuts))
    assert verdict == "block"
    assert b"No, not here." in left
    assert b"zq81" not in left
    assert b"send_mail" not in left or b"Hello." in left  # as it was said, and judged, at first
    assert b'"run"' not in left


async def test_changed_arguments_leave_if_they_fit_the_schema(guard: Guard) -> None:
    """As they do in a reply that is whole."""
    card = {"to": "ann", "card": "4111 1111 1111 1111"}
    events = anthropic((use("send_mail"), json.dumps(card)))
    for kind, expected in (("string", "redact"), ("integer", "block")):
        tool = {"name": "send_mail", "input_schema": {"properties": {"card": {"type": kind}}}}
        asked = {
            "model": "x", "max_tokens": 9, "tools": [tool],
            "messages": [{"role": "user", "content": "Write to Ann."}],
        }  # fmt: skip
        async with guard.call() as call:
            reply = await call.reply(prompt=asked)
            body = StreamedBody(reply, AnthropicReader(), most_held=1_000_000)
            left = await body.feed(written(events)) + await body.close()
            assert reply.decision is not None
            assert reply.decision.verdict == expected
            await reply.close()
        assert b"4111" not in left
        assert (b"1111" in left) is (expected == "redact")


def test_the_cuts_reach_everywhere(tmp_path: Path) -> None:
    """Byte by byte, too."""
    guard = guard_in(tmp_path, RULES, offline=True)
    for events in (*LEAVES.values(), *STAYS.values()):
        left, verdict = asyncio.run(passed(guard, events, range(len(written(events)))))
        assert verdict == ("allow" if left == written(events) else "block")
