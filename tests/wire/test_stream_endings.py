"""What the official SDKs make of streams that were changed, or ended by us."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio
from sdk_reading import Streams, streams
from stream_samples import DIALECTS, stream_of, told

from guardrails.testing import Refusal, Reply, Thinking, ToolCall
from guardrails.testing.provider.dialect import Making
from guardrails.testing.provider.prompt_cache import Use
from guardrails.wire.formats import NAMES
from guardrails.wire.payload import EVENTS, Payload
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.streams.model import PartHead, StreamEvent, StreamReader

Json = dict[str, Any]
SORRY = "I cannot say that."
NO_USE = Use(uncached=3, written_5m=0, written_1h=0, read=0)
REPLIES = {
    "a text": Reply("Hello there, dear reader."),
    "a thought and a text": Reply(Thinking("Well, let me see."), "Hello there, dear reader."),
    "a call": Reply("One moment.", ToolCall("mail", {"to": "ann", "text": "hello hello"})),
    "a refusal": Reply(Refusal("No, thank you.")),
}


def whole(name: str, reply: Reply, **asked: Any) -> Json:
    making = Making(reply=reply, body={"model": "m", **asked}, use=NO_USE, serial=1, created=1)
    return DIALECTS[name].whole(making)


def reader(name: str, *, declines: bool = False) -> StreamReader:
    payload = Payload(data=b"", media_type=EVENTS)
    made = stream_reader(NAMES[name], payload, None, declines=declines)
    assert made is not None
    return made


def told_by_sdk(name: str, made: Any) -> tuple[str, Any]:
    """What a reply says, a model's own refusal too, and why it ends."""
    if name == "anthropic":
        text = "".join(block.text for block in made.content if block.type == "text")
        details = made.stop_details
        return text + (details.explanation if details else ""), made.stop_reason
    if name == "openai-chat":
        choice = made.choices[0]
        text = (choice.message.content or "") + (choice.message.refusal or "")
        return text, choice.finish_reason
    parts = [part for item in made.output if item.type == "message" for part in item.content]
    text = "".join(part.refusal if part.type == "refusal" else part.text for part in parts)
    return text, made.incomplete_details.reason if made.incomplete_details else made.status


DECLINED = {"anthropic": "refusal", "openai-chat": "stop", "openai-responses": "completed"}
STOPS = {
    "anthropic": "refusal",
    "openai-chat": "content_filter",
    "openai-responses": "content_filter",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sdks() -> AsyncIterator[Streams]:
    async with streams() as made:
        yield made


pytestmark = pytest.mark.asyncio(loop_scope="module")
CASES = [(name, case) for name in DIALECTS for case in REPLIES]


@pytest.mark.parametrize("declines", [False, True])
@pytest.mark.parametrize(("name", "case"), CASES)
async def test_a_stream_that_is_cut_is_a_refusal_to_its_sdk(
    sdks: Streams, name: str, case: str, declines: bool
) -> None:
    body = stream_of(name, whole(name, REPLIES[case]), 2)
    for sent in range(len(told(reader(name), [body]).events)):
        read = reader(name, declines=declines)
        events, released, out = read.feed(body)[:sent], dict[int, str](), b""
        for event in events:
            for said in event.says:
                before = "" if said.repeats else released.get(said.part, "")
                released[said.part] = before + said.text
            out += event.write()
            read.sent(event, released)
        ending = read.cut(SORRY, released=any(released.values()))
        if any(event.ends for event in events):
            assert ending == b""
            continue
        made = await sdks.read(name, out + ending, helper=declines)
        said, stop = told_by_sdk(name, made)
        assert said.endswith(SORRY)
        assert stop == (DECLINED if declines else STOPS)[name]


def other(text: str) -> str:
    return text.replace("e", "E").replace("o", "0")


def changed(events: list[StreamEvent], heads: list[PartHead]) -> bytes:
    """The stream with all texts changed that can be."""
    fixed = {head.key for head in heads if head.fixed}
    return b"".join(
        event.write([s.text if s.part in fixed else other(s.text) for s in event.says])
        for event in events
    )


def all_texts(name: str, made: Any) -> Json:
    said, stop = told_by_sdk(name, made)
    if name == "anthropic":
        calls = [b.input for b in made.content if b.type == "tool_use"]
        thoughts = [b.thinking for b in made.content if b.type == "thinking"]
    elif name == "openai-chat":
        calls = [json.loads(c.function.arguments) for c in made.choices[0].message.tool_calls or ()]
        thoughts = []
    else:
        calls = [json.loads(i.arguments) for i in made.output if i.type == "function_call"]
        thoughts = [s.text for i in made.output if i.type == "reasoning" for s in i.summary]
    return {"said": said, "stop": stop, "calls": calls, "thoughts": thoughts}


@pytest.mark.parametrize(("name", "case"), CASES)
async def test_a_changed_stream_is_the_changed_reply_to_its_sdk(
    sdks: Streams, name: str, case: str
) -> None:
    body = stream_of(name, whole(name, REPLIES[case]), 2)
    read = told(reader(name), [body])
    before = all_texts(name, await sdks.read(name, body))
    after = all_texts(name, await sdks.read(name, changed(read.events, read.heads)))
    expected = json.loads(other(json.dumps(before["calls"])))
    assert after == {**before, "said": other(before["said"]), "calls": expected}


@pytest.mark.parametrize("name", ["anthropic", "openai-responses"])
async def test_a_signed_block_is_left_out_and_the_others_move_up(sdks: Streams, name: str) -> None:
    body = stream_of(name, whole(name, REPLIES["a thought and a text"]), 2)
    read = reader(name)
    events = read.feed(body)
    *_, thought = (h.key for e in events for h in e.opens if h.kind == "thinking")
    assert read.drop(thought)
    out = b""
    for event in events:
        if piece := event.write():
            out += piece
            read.sent(event, {})
    made = all_texts(name, await sdks.read(name, out))
    assert made["said"] == "Hello there, dear reader."
    assert made["thoughts"] == []
    assert b"see" not in out


@pytest.mark.parametrize("name", DIALECTS)
async def test_a_stream_that_fails_is_an_error_to_its_sdk(sdks: Streams, name: str) -> None:
    events = reader(name).feed(stream_of(name, whole(name, REPLIES["a text"]), 2))
    for sent in (1, len(events) // 2):
        read, out = reader(name), b""
        for event in events[:sent]:
            out += event.write()
            read.sent(event, {})
        failed = out + read.fail(503, "out of reach")
        if name == "openai-responses":  # of which its SDK makes no exception
            made = await sdks.read(name, failed)
            assert (made.type, made.message) == ("error", "out of reach")
            continue
        with pytest.raises((anthropic.APIStatusError, openai.APIError), match="out of reach"):
            await sdks.read(name, failed)


@pytest.mark.parametrize("declines", [False, True])
@pytest.mark.parametrize("name", DIALECTS)
async def test_a_stream_that_never_began_is_a_refusal_to_its_sdk(
    sdks: Streams, name: str, declines: bool
) -> None:
    made = await sdks.read(name, reader(name, declines=declines).cut(SORRY, released=False))
    assert told_by_sdk(name, made) == (SORRY, (DECLINED if declines else STOPS)[name])


@pytest.mark.parametrize(("name", "case"), CASES)
async def test_what_a_stream_said_before_it_was_cut_is_what_was_released(
    sdks: Streams, name: str, case: str
) -> None:
    body = stream_of(name, whole(name, REPLIES[case]), 2)
    count = len(reader(name).feed(body))
    for sent in range(count // 3, count, 3):
        read, released, fixed, out = reader(name), dict[int, str](), set[int](), b""
        events = read.feed(body)[:sent]
        if any(event.ends for event in events):
            continue
        for event in events:
            fixed |= {head.key for head in event.opens if head.fixed}
            texts = [s.text if s.part in fixed else other(s.text) for s in event.says]
            for said, text in zip(event.says, texts, strict=True):
                released[said.part] = text if said.repeats else released.get(said.part, "") + text
            out += event.write(texts)
            read.sent(event, released)
        made = await sdks.read(name, out + read.cut(SORRY, released=True))
        said, _ = told_by_sdk(name, made)
        before = said.removesuffix(SORRY).rstrip()
        assert said.endswith(SORRY)
        assert "o" not in before
        heads = {h.key: h for event in events for h in event.opens}
        texts = [
            text
            for key, text in released.items()
            if heads[key].kind == "text" and heads[key].path[-1:] in TEXT_FIELDS
        ]
        assert before == "".join(texts).rstrip()


TEXT_FIELDS = (("text",), ("content",), ("refusal",))
