"""What goes in and comes out of a check: every surface, every type, every record."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from anthropic.types import Message
from guard_samples import (
    JUDGED,
    REPLY,
    UNAVAILABLE,
    FailingTrail,
    Records,
    guard_in,
    written,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import guardrails
from guardrails.errors import AuditError, CriticOutage, DeliveryError, SettingsError
from guardrails.exchange import Context, Part
from guardrails.guard import Guard
from guardrails.testing import broken_critic, passing, scripted_critic
from guardrails.verdict import Decision, Stage, Verdict

Check = Callable[[Guard, Any], Decision]


class Answer(BaseModel):
    text: str
    score: int = 1


@dataclass
class Note:
    text: str


class Pair(NamedTuple):
    text: str
    number: int


def message(text: str) -> Message:
    return Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "a-model",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    )


CONTENTS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "dict": lambda text: {"answer": {"text": text}, "score": 1},
    "list": lambda text: ["hello", text],
    "tuple": lambda text: ("hello", text),
    "named tuple": lambda text: Pair(text, 1),
    "pydantic model": lambda text: Answer(text=text),
    "dataclass": Note,
    "message": message,
    "parts": lambda text: [Part(text=text, role="assistant")],
    "tuple of parts": lambda text: (Part(text=text, role="assistant"),),
}
TEXTS = {
    "allow": ("good day", "good day", "judged"),
    "flag": ("oddly good", "oddly good", "judged"),
    "redact": ("the secret word", "the  word", "judged"),
    "revise": ("Well. I promise. Bye.", "Well. Please ask a person. Bye.", "judged"),
    "block": ("a forbidden word", None, "reply"),
    "escalate": ("gravely so", None, "reply"),
}
HELD = {
    Stage.INPUT: lambda guard, value: guard.sync.check_input(value),
    Stage.OUTPUT: lambda guard, value: guard.sync.check_output(value, prompt="hello"),
    Stage.TOOL_CALL: lambda guard, value: guard.sync.check_tool_call("send", value),
    Stage.TOOL_RESULT: lambda guard, value: guard.sync.check(value, stage="tool_result"),
    Stage.RETRIEVAL: lambda guard, value: guard.sync.check(value, stage=Stage.RETRIEVAL),
}


@pytest.mark.parametrize("verdict", TEXTS)
@pytest.mark.parametrize("kind", CONTENTS)
def test_promise_1_content_keeps_its_type_and_is_what_the_record_says(
    kind: str, verdict: str, guard: Guard, records: Records
) -> None:
    text, after, how = TEXTS[verdict]
    value = CONTENTS[kind](text)
    decision = guard.sync.check_output(value, prompt="hello")
    assert str(decision.verdict) == verdict
    assert records.how() == [("output", verdict, how)]
    if after is None:
        assert decision.text == REPLY
        assert decision.reply_key == "blocked"
        if kind == "message":
            assert isinstance(decision.content, Message)
            assert decision.content.stop_reason == "refusal"
        else:
            assert decision.content == REPLY
    elif after == text:
        assert decision.content is value
    else:
        assert type(decision.content) is type(value)
        assert decision.content == CONTENTS[kind](after)
        assert value == CONTENTS[kind](text), "what came is left as it was"


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("verdict", [v for v in TEXTS if v != "revise"])
@pytest.mark.parametrize("kind", ["str", "dict", "json", "list"])
def test_promise_1_every_stage_is_recorded_as_it_was(
    kind: str, verdict: str, stage: Stage, guard: Guard, records: Records
) -> None:
    text, after, how = TEXTS[verdict]
    made = (lambda text: f'{{"to": "{text}", "n": 1}}') if kind == "json" else CONTENTS[kind]
    decision = HELD[stage](guard, made(text))
    assert (str(decision.verdict), decision.stage) == (verdict, stage)
    assert records.how() == [(str(stage), verdict, how)]
    if after is not None:
        assert decision.content == made(after)


def test_the_json_that_a_model_wrote_is_judged_as_the_tool_will_read_it(guard: Guard) -> None:
    decision = guard.sync.check_tool_call("send", r'{"to": "forb\u0069dden"}')
    assert decision.verdict is Verdict.BLOCK


CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "Never say forbidden."},
    {"role": "user", "content": "my secret is it"},
    {"role": "assistant", "content": [{"type": "text", "text": "oddly"}]},
]


@pytest.mark.parametrize(
    "wrap",
    [lambda messages: messages, lambda messages: {"model": "a", "messages": messages}],
    ids=["messages", "request"],
)
def test_a_conversation_is_judged_but_for_what_the_application_says(
    wrap: Callable[[Any], Any], guard: Guard, records: Records
) -> None:
    decision = guard.sync.check_input(wrap(CONVERSATION))
    assert decision.verdict is Verdict.REDACT
    changed = [*CONVERSATION]
    changed[1] = {"role": "user", "content": "my  is it"}
    assert decision.content == wrap(changed)
    assert [(f.principle, f.part) for f in decision.findings] == [
        ("house.secret", 1),
        ("house.odd", 2),
    ]
    assert records.how() == [("input", "redact", "judged")]


def test_a_blocked_conversation_gets_the_reply_as_a_text(guard: Guard, records: Records) -> None:
    decision = guard.sync.check_input([{"role": "user", "content": "forbidden"}])
    assert decision.content == decision.text == REPLY
    assert records.how() == [("input", "block", "reply")]


def test_an_image_is_undecided_by_name(guard: Guard, records: Records) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    image = {"role": "user", "content": [{"type": "image", "source": source}]}
    decision = guard.sync.check_input([image])
    assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "undecided")
    assert [f.cause for f in decision.findings] == ["unjudged_part"]
    assert records.how() == [("input", "block", "reply")]


def nested(depth: int) -> Any:
    return "good" if depth == 0 else [nested(depth - 1)]


def circular() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [nested(200), circular()], ids=["too deep", "circular"])
@pytest.mark.parametrize("stage", Stage)
def test_promise_10_what_cannot_be_read_is_refused(
    stage: Stage, value: Any, guard: Guard, records: Records
) -> None:
    decision = HELD[stage](guard, value)
    assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "limit")
    assert decision.text == decision.content == UNAVAILABLE
    assert [f.principle for f in decision.findings] == ["format.readable"]
    assert records.how() == [(str(stage), "block", "reply")]


def test_promise_10_a_prompt_that_cannot_be_read_refuses_the_reply(guard: Guard) -> None:
    assert guard.sync.check_output("good", prompt=circular()).cause == "limit"


@pytest.mark.parametrize("length", [5_000, 5_001])
def test_promise_10_too_long_a_text_is_refused(length: int, guard: Guard, records: Records) -> None:
    decision = guard.sync.check_output("a" * length)
    if length == 5_000:
        assert decision.verdict is Verdict.ALLOW
    else:
        assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "limit")
        assert decision.text == UNAVAILABLE
    assert len(records.how()) == 1


def test_promise_10_the_deadline_refuses_whatever_a_principle_says(tmp_path: Path) -> None:
    rules = """
  - {id: house.kind, text: Is kind., action: flag, on_undecided: flag, on_outage: flag}"""
    text = written(rules, "budget: {deadline_s: 0.01}")
    guard = guard_in(tmp_path, text, critics=[broken_critic("hangs")])
    decision = guard.sync.check_output("good day")
    assert (decision.verdict, decision.cause, decision.text) == (
        Verdict.BLOCK,
        "limit",
        UNAVAILABLE,
    )


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)
properties = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def is_clean(value: Any) -> bool:
    return not any(word in repr(value).casefold() for word in ("forbid", "secret", "odd", "grav"))


@properties
@given(json_like.filter(is_clean), st.sampled_from(list(Stage)))
def test_promise_3_a_clean_value_is_the_very_same_object(
    shared: tuple[Guard, Records], value: Any, stage: Stage
) -> None:
    before = repr(value)
    decision = HELD[stage](shared[0], value)
    assert decision.verdict is Verdict.ALLOW
    assert decision.content is value
    assert repr(value) == before


@properties
@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=60).filter(is_clean))
def test_promise_3_a_clean_text_is_untouched(shared: tuple[Guard, Records], text: str) -> None:
    decision = shared[0].sync.check_output(text)
    assert decision.content is text
    assert decision.text == text


@properties
@given(
    st.lists(
        st.sampled_from(["secret", "forbidden", "oddly", "I promise.", " ", "a\u200bb", "\ud800"]),
        max_size=6,
    ).map("".join),
    st.sampled_from(["str", "dict", "parts", "message"]),
)
def test_promise_1_whatever_comes_the_record_holds(
    shared: tuple[Guard, Records], text: str, kind: str
) -> None:
    guard, records = shared
    records.opened.clear()
    records.closed.clear()
    decision = guard.sync.check_output(CONTENTS[kind](text))
    assert len(records.how()) == 1
    assert "secret" not in str(decision.content)


class TestRecords:
    @pytest.mark.parametrize("fails", ["open", "close"])
    @pytest.mark.parametrize("text", ["good day", "forbidden", "a secret"])
    def test_promise_1_what_cannot_be_recorded_is_not_delivered(
        self, text: str, fails: str, tmp_path: Path
    ) -> None:
        guard = guard_in(tmp_path, trail=FailingTrail(fails))
        with pytest.raises(AuditError, match="disk is full"):
            guard.sync.check_output(text)

    async def test_a_cancelled_call_is_recorded_as_nothing(
        self, guard: Guard, records: Records
    ) -> None:
        decided = asyncio.Event()

        async def surface() -> None:
            async with guard.call() as call:
                await call.check("good day", stage=Stage.OUTPUT)
                decided.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(surface())
        await decided.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert records.how() == [("output", "allow", "nothing")]

    async def test_a_check_that_is_cancelled_while_it_is_judged_delivers_nothing(
        self, tmp_path: Path, records: Records
    ) -> None:
        asked = asyncio.Event()

        async def waits(request: Any) -> Any:
            asked.set()
            await asyncio.Event().wait()

        guard = guard_in(tmp_path, written(JUDGED), critics=[scripted_critic(waits)], trail=records)
        task = asyncio.ensure_future(guard.check_output("good day"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert all(how == "nothing" for _, _, how in records.how())

    async def test_what_an_error_kept_back_is_recorded_as_nothing(
        self, guard: Guard, records: Records
    ) -> None:
        async def surface() -> None:
            async with guard.call() as call:
                await call.check("hello", stage=Stage.INPUT)
                decision = await call.check("good day", stage=Stage.OUTPUT)
                await call.delivered(decision, "good day")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await surface()
        assert records.how() == [("input", "allow", "nothing"), ("output", "allow", "judged")]

    @pytest.mark.parametrize(
        ("text", "delivered", "how"),
        [
            ("good day", "something else", None),
            ("a secret", "a secret", None),
            ("forbidden", "forbidden", "judged"),
            ("good day", "mine", "application_reply"),
        ],
    )
    async def test_promise_1_another_delivery_than_the_decided_one_is_refused(
        self, text: str, delivered: str, how: Any, guard: Guard, records: Records
    ) -> None:
        async with guard.call() as call:
            decision = await call.check(text, stage=Stage.OUTPUT)
            with pytest.raises(DeliveryError):
                await call.delivered(decision, delivered, how=how)
        assert records.how() == [("output", str(decision.verdict), "nothing")]

    def test_records_name_who_asked_without_saying_who(
        self, guard: Guard, records: Records
    ) -> None:
        context = Context(tenant="clinic", session="s-marker", subject="p-marker")
        guard.sync.check_output("good day", context=context)
        (opened,) = records.opened
        assert opened.tenant == "clinic"
        assert opened.session == records.digest(["s-marker"], of="session")
        assert "marker" not in opened.model_dump_json()

    @pytest.mark.parametrize(
        ("text", "keeps", "escalated", "kept"),
        [
            ("gravely a secret", "digest", "redacted", "gravely a [house.secret]"),
            ("gravely a secret", "redacted", "digest", None),
            ("a secret", "redacted", "digest", "a [house.secret]"),
            ("a secret", "digest", "redacted", None),
        ],
    )
    def test_what_a_record_keeps_of_the_text(
        self,
        text: str,
        keeps: str,
        escalated: str,
        kept: str | None,
        tmp_path: Path,
        records: Records,
    ) -> None:
        guard = guard_in(tmp_path, trail=records, audit_keeps=keeps, audit_escalated=escalated)
        guard.sync.check_output(text)
        assert records.opened[0].redacted_text == kept


def test_promise_8_a_decision_pins_its_rules(tmp_path: Path, records: Records) -> None:
    judge = scripted_critic(lambda request: replace(passing(request), model="small-2026"))
    guard = guard_in(tmp_path, written(JUDGED), critics=[judge], trail=records)
    pin = guard.sync.check_output("good day").constitution
    assert (pin.id, pin.version, pin.digest) == ("house", "1.2.0", guard.constitution.digest)
    assert pin.digest.startswith("sha256:")
    assert (pin.offline, pin.models) == (False, {"judge": "small-2026"})
    recorded = records.opened[0].constitution
    assert (recorded.digest, recorded.offline) == (pin.digest, False)
    assert recorded.models == {"judge": "small-2026"}


def test_promise_8_a_decision_says_that_it_was_offline(tmp_path: Path, records: Records) -> None:
    guard = guard_in(tmp_path, written(JUDGED), offline=True, trail=records)
    decision = guard.sync.check_output("good day")
    assert (decision.constitution.offline, decision.constitution.models) == (True, {})
    assert decision.coverage.uncovered == ("house.kind",)
    assert records.opened[0].constitution.offline


@pytest.mark.parametrize("mode", ["offline", "a dead judge"])
def test_promise_7_patterns_hold_without_a_model(mode: str, tmp_path: Path) -> None:
    said: Any = (
        {"offline": True}
        if mode == "offline"
        else {"critics": [scripted_critic(CriticOutage("away"))]}
    )
    guard = guard_in(tmp_path, written(JUDGED), **said)
    decision = guard.sync.check_output("a forbidden word")
    assert (decision.verdict, decision.cause, decision.text) == (Verdict.BLOCK, "policy", REPLY)


def test_an_outage_is_told_as_one(tmp_path: Path) -> None:
    guard = guard_in(tmp_path, written(JUDGED), critics=[scripted_critic(CriticOutage("away"))])
    decision = guard.sync.check_output("good day")
    assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "outage")
    assert (decision.text, decision.reply_key) == (UNAVAILABLE, "unavailable")
    assert decision.breaches == ()


def test_an_unknown_stage_names_the_known_ones(guard: Guard) -> None:
    with pytest.raises(SettingsError, match="retrieval"):
        guard.sync.check("good day", stage="somewhere")


WHO = """
  - {id: house.dose, text: No doses for patients., applies: {audience: [patient]},
     critics: [pattern: {breach: [dose]}]}
"""


class TestContext:
    @pytest.mark.parametrize(
        ("attributes", "verdict"),
        [({}, "block"), ({"audience": "patient"}, "block"), ({"audience": "doctor"}, "allow")],
    )
    async def test_the_caller_decides_which_principles_hold(
        self, attributes: Mapping[str, str], verdict: str, tmp_path: Path
    ) -> None:
        guard = guard_in(tmp_path, written(WHO))
        context = Context(attributes=attributes)
        with guardrails.context(context):
            decisions = [
                await guard.check_output("a dose"),
                guard.sync.check_output("a dose"),
                await guard.check("a dose", stage="output"),
                await asyncio.create_task(guard.check_output("a dose")),
            ]
            stream = guard.stream(["a dose"])
        assert [p async for p in stream] == [REPLY if verdict == "block" else "a dose"]
        decisions += [stream.decision, await guard.check_output("a dose", context=context)]
        assert [str(decision.verdict) for decision in decisions] == [verdict] * len(decisions)

    def test_what_is_said_at_the_call_stands_before_what_is_set(self, tmp_path: Path) -> None:
        guard = guard_in(tmp_path, written(WHO))
        with guardrails.context(Context(attributes={"audience": "doctor"})):
            one = guard.sync.check_output("a dose", context=Context())
        assert one.verdict is Verdict.BLOCK

    def test_the_reply_is_in_the_callers_language(self, tmp_path: Path) -> None:
        text = written().replace('blocked: "No, not here."', "blocked: {en: 'No.', de: 'Nein.'}")
        guard = guard_in(tmp_path, text)
        decision = guard.sync.check_output("forbidden", context=Context(language="de-AT"))
        assert decision.text == "Nein."


class TestThreads:
    def test_a_guard_works_from_many_threads_and_loops_at_once(
        self, guard: Guard, records: Records
    ) -> None:
        barrier = threading.Barrier(8)

        def work(number: int) -> list[str]:
            barrier.wait()
            if number % 2:
                return [guard.sync.check_output(f"secret {number}").text for _ in range(5)]

            async def several() -> list[str]:
                checks = (guard.check_output(f"secret {number}") for _ in range(5))
                return [decision.text for decision in await asyncio.gather(*checks)]

            return asyncio.run(several())

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(work, range(8)))
        assert results == [[f" {number}"] * 5 for number in range(8)]
        assert len(records.how()) == 40

    async def test_the_sync_checks_work_under_a_running_loop(self, guard: Guard) -> None:
        assert guard.sync.check_output("a secret").text == "a "

    def test_a_sync_check_inside_one_says_what_to_do(self, tmp_path: Path) -> None:
        held: list[Guard] = []

        def answer(request: Any) -> Any:
            return held[0].sync.check_output("again")

        held.append(guard_in(tmp_path, written(JUDGED), critics=[scripted_critic(answer)]))
        decision = held[0].sync.check_output("good day")
        assert [f.cause for f in decision.findings] == ["raised"]
