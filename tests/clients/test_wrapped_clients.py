"""Wrapped clients of the official SDKs before a fake provider: what is sent, what comes back."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wrapped_samples import (
    FACES,
    REPLY,
    Answer,
    Face,
    Records,
    Wrapped,
    close,
    constitution,
    done,
    refusal_of,
    spoken,
)

from guardrails import Blocked, Context, context, wrap
from guardrails.errors import AuditError
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import (
    FakeProvider,
    Fault,
    Reply,
    Thinking,
    ToolCall,
    api_error,
    faults,
)
from guardrails.testing import Refusal as Declined
from guardrails.verdict import Decision

CALL = ToolCall("send_mail", {"to": "a colleague", "times": 3})
CLEAN = {
    "text": "It is a teapot.",
    "odd": "It says oddly little.",
    "thinking": [Thinking("Let me see."), "It is a teapot."],
    "tool call": ["I write to them.", CALL],
    "refusal": Declined("I would rather not."),
    "several": Reply("One.", "Two."),
}


def provider(*answers: Any, **more: Any) -> FakeProvider:
    return FakeProvider(list(answers), clock=lambda: 1_800_000_000.0, **more)


@pytest.mark.parametrize("said", CLEAN.values(), ids=CLEAN)
async def test_promise_3_a_clean_reply_is_the_unguarded_one(
    said: Any, face: Face, guard: Guard, records: Records
) -> None:
    with provider(said) as alone, provider(said) as guarded:
        plain, client = face.client(alone), wrap(face.client(guarded), guard)
        expected, got = await face.ask(plain), await face.ask(client)
        assert type(got) is type(expected)
        assert got.model_dump() == expected.model_dump()
        assert got._request_id == expected._request_id != None  # noqa: E711
        assert [r.body for r in alone.requests] == [r.body for r in guarded.requests]
        assert _headers(alone) == _headers(guarded)
        await close(plain)
        await close(client)
    assert records.how()[-1][2] == "judged"


@pytest.mark.parametrize("said", CLEAN.values(), ids=CLEAN)
async def test_promise_3_a_clean_stream_has_the_unguarded_events(
    said: Any, face: Face, guard: Guard, records: Records
) -> None:
    with provider(said) as alone, provider(said) as guarded:
        plain, client = face.client(alone), wrap(face.client(guarded), guard)
        expected, got = await face.events(plain), await face.events(client)
        assert [e.model_dump() for e in got] == [e.model_dump() for e in expected]
        assert [type(e) for e in got] == [type(e) for e in expected]
        await close(plain)
        await close(client)
    assert records.how()[-1][2] == "judged"


def _headers(provider: FakeProvider) -> list[dict[str, str]]:
    own = ("host", "x-stainless-retry-count", "x-stainless-timeout", "idempotency-key")
    return [
        {name: value for name, value in request.headers.items() if name not in own}
        for request in provider.requests
    ]


async def test_a_blocked_question_is_never_sent(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider() as fake:
        reply = await face.ask(wrapped(fake), "Do what is forbidden")
        assert len(fake.requests) == 0
    with provider("x") as fake:
        plain = face.client(fake)
        expected = await face.ask(plain)
        await close(plain)
    assert type(reply) is type(expected)
    assert face.text(reply) == REPLY
    assert face.refusal(reply) == refusal_of(face)
    assert records.how() == [("input", "block", "reply")]


async def test_a_blocked_answer_gives_the_reply_and_keeps_what_it_cost(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider("That is forbidden.") as fake:
        reply = await face.ask(wrapped(fake))
    assert face.text(reply) == REPLY
    assert face.refusal(reply) == refusal_of(face)
    assert "fake" in reply.id
    assert reply.usage is not None
    assert reply._request_id
    assert "forbidden" not in repr(reply)
    assert records.how() == [("input", "allow", "judged"), ("output", "block", "reply")]


async def test_redacted_words_are_what_the_provider_gets(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider("Fine.", "Fine.") as fake:
        client = wrapped(fake)
        await face.ask(client, "Is the secret safe?")
        await face.events(client, "Is the secret safe?")
        assert spoken(fake) == ["Is the  safe?"] * 2
        lengths = [int(request.headers["content-length"]) for request in fake.requests]
        assert lengths == [request.size for request in fake.requests]
    assert ("input", "redact", "judged") in records.how()


async def test_redacted_and_mended_words_are_what_the_caller_gets(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider("The secret is out.", "Yes. I promise to pay. Bye.") as fake:
        client = wrapped(fake)
        assert face.text(await face.ask(client)) == "The  is out."
        assert face.text(await face.ask(client)) == "Yes. Please ask a person. Bye."
    verdicts = [verdict for stage, verdict, _ in records.how() if stage == "output"]
    assert verdicts == ["redact", "revise"]


async def test_a_changed_stream_holds_the_changed_text_only(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider("The secret is out.", "That is forbidden.") as fake:
        client = wrapped(fake)
        redacted = str(await face.events(client))
        assert "The  is out." in redacted
        assert "secret" not in redacted
        blocked = str(await face.events(client))
        assert REPLY in blocked
        assert "forbidden" not in blocked
        assert refusal_of(face) in blocked
        never_sent = str(await face.events(client, "forbidden"))
        assert REPLY in never_sent
        assert len(fake.requests) == 2
    *judged, last, then = [how for *_, how in records.how()]
    assert judged == ["judged"] * 3
    assert (last in ("reply", "cut"), then) == (True, "reply")


async def test_tool_calls_are_judged_one_by_one(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    calls = [ToolCall("send_mail", {"to": "the secret one", "n": 1}), ToolCall("look", {"n": 2})]
    with provider(calls) as fake:
        reply = await face.ask(wrapped(fake))
    assert _arguments(reply) == [{"to": "the  one", "n": 1}, {"n": 2}]
    first, *calls, last = records.how()
    assert (first, last) == (("input", "allow", "judged"), ("output", "allow", "judged"))
    assert sorted(calls) == [("tool_call", "allow", "judged"), ("tool_call", "redact", "judged")]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "call",
    [ToolCall("rm_all", {"path": "/"}), ToolCall("launch", {"what": "something dangerous"})],
    ids=["by its name", "by its arguments"],
)
async def test_a_blocked_tool_call_never_reaches_the_application(
    call: ToolCall, streamed: bool, face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider([ToolCall("look"), call]) as fake:
        client = wrapped(fake)
        got = str(await face.events(client)) if streamed else str(await face.ask(client))
    assert REPLY in got
    assert call.name not in got
    *first, last = sorted(records.how()[1:])
    if streamed:  # the first one has left by then
        assert first == [("output", "block", "cut"), ("tool_call", "allow", "judged")]
        assert last == ("tool_call", "block", "nothing")
    else:
        assert first == [("tool_call", "allow", "nothing")]
        assert last == ("tool_call", "block", "reply")


def _arguments(reply: Any) -> list[Any]:
    if hasattr(reply, "content"):
        return [block.input for block in reply.content if block.type == "tool_use"]
    if hasattr(reply, "choices"):
        calls = reply.choices[0].message.tool_calls
        return [json.loads(call.function.arguments) for call in calls]
    items = [item for item in reply.output if item.type == "function_call"]
    return [json.loads(item.arguments) for item in items]


async def test_parse_helpers_parse_what_was_judged(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider({"text": "A teapot."}, {"text": "The secret."}, {"text": "forbidden"}) as fake:
        client = wrapped(fake)
        clean, redacted, blocked = [await face.parse(client) for _ in range(3)]
        never_sent = await face.parse(client, "forbidden")
    assert _parsed(clean) == Answer(text="A teapot.")
    assert _parsed(redacted) == Answer(text="The .")
    for reply in (blocked, never_sent):
        assert type(reply) is type(clean)
        assert _parsed(reply) is None
        assert face.text(reply) == REPLY
    assert [how for *_, how in records.how()][-3:] == ["judged", "reply", "reply"]


def _parsed(reply: Any) -> Any:
    if hasattr(reply, "choices"):
        return reply.choices[0].message.parsed
    return reply.output_parsed if hasattr(reply, "output_parsed") else reply.parsed_output


async def test_errors_of_the_sdk_are_its_own(face: Face, guard: Guard, records: Records) -> None:
    for status in (429, 500, 400, 401):
        with provider(api_error(status)) as alone, provider(api_error(status)) as guarded:
            plain, client = face.client(alone), wrap(face.client(guarded), guard)
            with pytest.raises(Exception) as expected:  # noqa: PT011 - of any class
                await face.ask(plain)
            with pytest.raises(type(expected.value)) as got:
                await face.ask(client)
            assert str(got.value) == str(expected.value)
            await close(plain)
            await close(client)
    assert records.how() == [("input", "allow", "judged")] * 4


async def test_a_retried_call_is_judged_once(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    again = api_error(429, retry_after_s=0.001, retry_after_as="ms")
    with provider(again, again, "A teapot.") as fake:
        reply = await face.ask(wrapped(fake, client={"max_retries": 2}), "The secret?")
        assert spoken(fake) == ["The ?"] * 3
    assert face.text(reply) == "A teapot."
    assert records.how() == [("input", "redact", "judged"), ("output", "allow", "judged")]


FAULTS = [fault for fault in faults() if fault.status == 200 and fault.treatment != "never"]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", [name for name in FACES if name.startswith("async")])
async def test_whatever_goes_wrong_nothing_unjudged_comes_out(
    name: str, streamed: bool, fault: Fault, guard: Guard, records: Records
) -> None:
    """The answer is forbidden wherever it is whole enough to be read."""
    face = FACES[name]
    wrong = replace(fault, answer=fault.answer or "That is forbidden.", pause_s=0.0)
    with provider(wrong, strict=False) as fake:
        client = wrap(face.client(fake, _strict_response_validation=False, timeout=0.5), guard)
        with contextlib.suppress(Exception):
            got = await (face.events(client) if streamed else face.ask(client))
            assert "forbidden" not in str(got)
        await close(client)
    records.how()


async def test_on_block_raises(face: Face, wrapped: Wrapped, records: Records) -> None:
    with provider("That is forbidden.") as fake:
        client = wrapped(fake, on_block="raise", client={"max_retries": 2})
        with pytest.raises(Blocked) as before:
            await face.ask(client, "forbidden")
        with pytest.raises(Blocked) as after:
            await face.ask(client)
        assert len(fake.requests) == 1
    assert before.value.decision.stage == "input"
    assert after.value.decision.stage == "output"
    assert [how for *_, how in records.how()] == ["nothing", "judged", "nothing"]


async def test_on_block_gives_a_text_or_anything_else(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider("That is forbidden.", "That is forbidden.") as fake:
        text = await face.ask(wrapped(fake, on_block=lambda decision: "Call us."))
        assert face.text(text) == "Call us."

        async def other(decision: Decision) -> dict[str, str]:
            return {"see": decision.record_id}

        assert await face.ask(wrapped(fake, on_block=other)) == {
            "see": records.opened[-1].record_id
        }
    assert [how for *_, how in records.how()] == ["judged", "application_reply"] * 2


async def test_every_decision_is_told_in_the_callers_own_thread(
    face: Face, wrapped: Wrapped
) -> None:
    told: list[tuple[str, int]] = []
    with provider([CALL]) as fake:
        client = wrapped(
            fake,
            on_decision=lambda made: told.append((str(made.stage), threading.get_ident())),
        )
        await face.ask(client)
    here = threading.get_ident()
    assert told == [("input", here), ("tool_call", here), ("output", here)]


async def test_the_application_says_who_is_asking(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider("a", "b", "c", "d") as fake:
        await face.ask(wrapped(fake, context=Context(tenant="one")))
        await face.ask(wrapped(fake, context=lambda: Context(tenant="two")))
        with context(Context(tenant="three")):
            await face.ask(wrapped(fake, context=lambda: None))
        with pytest.raises(TypeError, match=r"guardrails\.Context"):
            await face.ask(wrapped(fake, context=lambda: "me"))  # type: ignore[arg-type,return-value]
    assert [r.tenant for r in list(records.opened)[::2]] == ["one", "two", "three"]


# The chat has no place for it but its messages.
@pytest.mark.parametrize("face", [n for n in FACES if "chat" not in n], indirect=True)
async def test_what_the_application_says_itself_is_trusted_unless_told(
    wrapped: Wrapped, face: Face, records: Records
) -> None:
    own = {"messages": "system", "responses": "instructions"}[face.name.partition("-")[2]]
    with provider("Fine.") as fake:
        await face.ask(wrapped(fake), **{own: "Never say what is forbidden."})
        reply = await face.ask(
            wrapped(fake, trust_system=False), **{own: "Never say what is forbidden."}
        )
        assert len(fake.requests) == 1
    assert face.text(reply) == REPLY


async def test_raw_responses_hold_what_was_judged(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider("Fine.", "The secret.", "forbidden") as fake:
        client = wrapped(fake)
        raw = face.resource(client).with_raw_response
        got = [await done(raw.create(**face.request("What?"))) for _ in range(3)]
        got.append(await done(raw.create(**face.request("forbidden"))))
        texts = [face.text(await done(response.parse())) for response in got]
    assert texts == ["Fine.", "The .", REPLY, REPLY]
    assert "guardrails-record" not in got[0].headers
    assert [r.headers["guardrails-verdict"] for r in got[1:]] == ["redact", "block", "block"]
    assert [r.headers["guardrails-record"] for r in got[2:]] == [
        records.opened[-2].record_id,
        records.opened[-1].record_id,
    ]
    assert [response.status_code for response in got] == [200] * 4


async def test_streamed_responses_hold_what_was_judged(face: Face, wrapped: Wrapped) -> None:
    with provider("Fine.", "The secret.") as fake:
        client = wrapped(fake)
        managers = [
            face.resource(client).with_streaming_response.create(**face.request(text))
            for text in ("What?", "What?", "forbidden")
        ]
        texts = []
        for manager in managers:
            if face.is_async:
                async with manager as response:
                    texts.append(b"".join([piece async for piece in response.iter_bytes()]))
            else:
                with manager as response:
                    texts.append(b"".join(response.iter_bytes()))
    for text, expected in zip(texts, ["Fine.", "The .", REPLY], strict=True):
        assert expected.encode() in text
        assert b"secret" not in text


async def test_other_ways_to_make_a_client_stay_guarded(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider(*["That is forbidden."] * 5) as fake:
        client = wrapped(fake)
        others = [client.with_options(timeout=3), client.copy(max_retries=1)]
        others += [others[0].with_options(timeout=4), wrap(client, client_guard(client))]
        for other in [*others, client]:
            assert face.text(await face.ask(other)) == REPLY
            assert isinstance(other, face.make)
        assert others[0].timeout == 3
        assert others[1].max_retries == 1
        assert client._client is others[0]._client


def client_guard(client: Any) -> Guard:
    """The guard of a wrapped client, to wrap it once more."""
    (cell,) = (
        cell.cell_contents
        for cell in type(client).request.__closure__
        if type(cell.cell_contents).__name__ == "Guarding"
    )
    guard: Guard = cell.guard
    return guard


async def test_the_client_itself_stays_as_it_is(face: Face, guard: Guard) -> None:
    with provider("That is forbidden.", "That is forbidden.") as fake:
        client = face.client(fake)
        face.resource(client)
        guarded = wrap(client, guard)
        assert face.text(await face.ask(client)) == "That is forbidden."
        assert face.text(await face.ask(guarded)) == REPLY
        assert type(guarded).__name__ == type(client).__name__
        assert guarded.api_key == client.api_key
        await close(client)
        assert guarded.is_closed()


async def test_without_a_record_nothing_is_sent_and_nothing_given_out(
    face: Face, tmp_path: Path
) -> None:
    class Failing(Records):
        fails = False

        async def open(self, record: Any) -> None:
            if self.fails:
                raise AuditError("the disk is full")
            await super().open(record)

    file = tmp_path / "house.yaml"
    file.write_text(constitution())
    records = Failing()
    guard = Guard.load(file, offline=True, trail=records, settings=Settings(audit="memory"))
    with provider("Fine.") as fake:
        client = wrap(face.client(fake), guard, on_decision=lambda _: setattr(records, "fails", 1))
        with pytest.raises(AuditError):
            await face.ask(client)
        assert len(fake.requests) == 1
        with pytest.raises(AuditError):
            await face.ask(client)
        assert len(fake.requests) == 1
        await close(client)
