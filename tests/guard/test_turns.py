"""A conversation costs its new turn only, and what was stopped in it stays stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message
from guard_samples import REPLY, FailingTrail, guard_in, written
from hypothesis import given
from hypothesis import strategies as st
from redis_samples import NONSENSE, Server, serving, talking_nonsense

from guardrails.critic.protocol import Critique, CritiqueRequest
from guardrails.errors import AuditError, CriticOutage
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.guard.turns import MOST_PARTS, turns_of
from guardrails.testing import breaching, passing, scripted_critic
from guardrails.verdict import Stage, Verdict
from guardrails.wire.body import Body
from guardrails.wire.formats import NAMES
from guardrails.wire.payload import Payload

RULES = """
  - {id: house.forbidden, text: Says nothing forbidden., stages: [input, output], action: block,
     critics: [pattern: {breach: [forbidden]}]}
  - {id: house.odd, text: Says nothing odd., stages: [input], action: flag,
     critics: [pattern: {breach: [oddly]}]}
  - {id: house.secret, text: Keeps the secret., stages: [input, output], action: redact,
     critics: [pattern: {breach: [secret]}]}
  - {id: house.kind, text: Is kind., stages: [input, output], action: block, on_outage: flag,
     critics: [judge]}
  - {id: house.young, text: Is fit for the young., stages: [input], action: block, on_outage: flag,
     applies: {age: [young]}, critics: [judge]}
"""
PII = """
pii: {input: {EMAIL_ADDRESS: mask}}
"""


class House:
    """A guard, and what its judge was shown to judge at the input, call by call."""

    def __init__(self, folder: Path, word: Any = passing, text: str = "", **more: Any) -> None:
        self.word = word
        self.judge: Any = scripted_critic(self.asked)
        self.guard = guard_in(folder, text or written(RULES), critics=[self.judge], **more)

    def asked(self, request: CritiqueRequest) -> Critique:
        if isinstance(self.word, BaseException):
            raise self.word
        said: Critique = self.word(request)
        return said

    @property
    def judged(self) -> list[list[str]]:
        return [
            [target.text for target in request.targets]
            for request in self.judge.asked
            if request.stage is Stage.INPUT
        ]

    async def turn(
        self, messages: Sequence[Any], reply: Any, context: Context | None = None
    ) -> Any:
        """One call of an application: what goes in, then what comes out."""
        async with self.guard.call(context=context or Context()) as call:
            decision = await call.check(messages, stage=Stage.INPUT)
            if not decision.delivers:
                await call.delivered(decision, None, how="reply")
                return decision
            await call.delivered(decision, decision.content)
            out = await call.check(reply, stage=Stage.OUTPUT, prompt=messages)
            await call.delivered(out, out.content)
            return decision


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def talk(*texts: str) -> list[dict[str, str]]:
    """The user's and the assistant's turns, one after the other."""
    return [
        {"role": "assistant" if number % 2 else "user", "content": text}
        for number, text in enumerate(texts)
    ]


async def test_a_conversation_costs_its_new_turn_only(house: House) -> None:
    first = await house.turn(talk("one"), "two")
    second = await house.turn(talk("one", "two", "three"), "four")
    third = await house.turn(talk("one", "two", "three", "four", "five"), "six")
    assert house.judged == [["one"], ["three"], ["five"]]
    assert [d.coverage.known_parts for d in (first, second, third)] == [0, 2, 4]
    shown = [part.text for part in house.judge.asked[-2].parts]
    assert shown == ["one", "two", "three", "four", "five"]


async def test_checks_by_themselves_are_a_conversation_too(house: House) -> None:
    await house.guard.check_input(talk("one"))
    await house.guard.check_output("two", prompt=talk("one"))
    await house.guard.check_input(talk("one", "two", "three"))
    assert house.judged == [["one"], ["three"]]


async def test_a_reply_that_came_piece_by_piece_is_known(house: House) -> None:
    await house.guard.check_input(talk("one"))
    stream = house.guard.stream(["tw", "o"], prompt=talk("one"))
    assert "".join([piece async for piece in stream]) == "two"
    await house.guard.check_input(talk("one", "two", "three"))
    assert house.judged == [["one"], ["three"]]


async def test_a_reply_that_nobody_gave_is_judged(house: House) -> None:
    await house.turn(talk("one"), "two")
    await house.turn(talk("one", "too", "three"), "four")
    assert house.judged == [["one"], ["too", "three"]]


async def test_the_newest_turn_is_judged_each_time(house: House) -> None:
    await house.turn(talk("one"), "two")
    for _ in range(2):
        await house.turn(talk("one"), "two")
        await house.turn(talk("one", "two", "three"), "four")
    assert house.judged == [["one"], ["one"], ["three"], ["one"], ["three"]]


async def test_promise_2_what_was_stopped_stays_stopped(house: House) -> None:
    assert (await house.turn(talk("forbidden"), "")).verdict is Verdict.BLOCK
    later = talk("forbidden", REPLY, "three")
    assert (await house.turn(later, "")).verdict is Verdict.BLOCK
    house.word = breaching("house.kind")
    assert (await house.turn(talk("unkind"), "")).verdict is Verdict.BLOCK
    assert (await house.turn(talk("unkind", REPLY, "three"), "")).verdict is Verdict.BLOCK
    assert house.judged[-1] == ["unkind", "three"], "the reply is our own"


async def test_promise_2_a_reply_that_was_stopped_does_not_become_known(house: House) -> None:
    await house.turn(talk("one"), "forbidden")
    assert (await house.turn(talk("one", "forbidden", "three"), "")).verdict is Verdict.BLOCK
    await house.turn(talk("one", REPLY, "three"), "")
    assert house.judged[-1] == ["three"]


async def test_what_was_changed_is_judged_again_and_what_stood_beside_it_is_not(
    house: House,
) -> None:
    assert (await house.turn(talk("a secret"), "two")).verdict is Verdict.REDACT
    await house.turn(talk("a secret", "two", "three"), "four")
    await house.turn(talk("a secret", "two", "three", "four", "five"), "six")
    assert house.judged == [
        *(["a secret"], ["a "]),
        *(["a secret", "three"], ["a ", "three"]),
        *(["a secret", "five"], ["a ", "five"]),
    ]


async def test_a_reply_is_known_as_it_was_delivered(house: House) -> None:
    await house.turn(talk("one"), "a secret, kept")
    decision = await house.guard.check_output("a secret, kept", prompt=talk("one"))
    await house.turn(talk("one", decision.text, "three"), "four")
    await house.turn(talk("one", "a secret, kept", "three"), "four")
    assert house.judged[1] == ["three"]
    assert len(house.judged[2]) == 2


async def test_what_was_flagged_by_policy_is_known_and_what_was_in_doubt_is_not(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    assert (await house.turn(talk("oddly"), "two")).verdict is Verdict.FLAG
    assert (await house.turn(talk("oddly", "two", "three"), "four")).verdict is Verdict.ALLOW
    house.word = CriticOutage("away")
    doubtful = await house.turn(talk("well"), "two")
    assert (doubtful.verdict, doubtful.cause) == (Verdict.FLAG, "outage")
    house.word = passing
    await house.turn(talk("well", "two", "three"), "four")
    assert house.judged == [["oddly"], ["three"], ["well"], ["well", "three"]]


SETTINGS: dict[str, tuple[Context, Context]] = {
    "tenant": (Context(tenant="a"), Context(tenant="b")),
    "language": (Context(language="en"), Context(language="de")),
    "principles": (Context(attributes={"age": "old"}), Context(attributes={"age": "young"})),
    "attributes": (Context(attributes={"is": ["a", "b"]}), Context(attributes={"is": "a b"})),
}


@pytest.mark.parametrize("what", SETTINGS)
async def test_who_asks_otherwise_is_another_conversation(what: str, house: House) -> None:
    one, other = SETTINGS[what]
    await house.turn(talk("one"), "two", one)
    await house.turn(talk("one", "two", "three"), "four", other)
    assert house.judged[1] == ["one", "two", "three"]
    await house.turn(talk("one", "two", "three"), "four", replace(one, session="s", subject="u"))
    assert house.judged[2] == ["three"]


async def test_what_was_judged_beside_other_words_is_judged_without_them(house: House) -> None:
    """What a caller hands over as `prompt` helped to judge."""
    beside = {"stage": "input", "prompt": "This is a play."}
    await house.guard.check(talk("one"), **beside)
    await house.guard.check_output("two", prompt=["This is a play.", *talk("one")])
    await house.guard.check_output("two", prompt=talk("one"))
    await house.guard.check_input(talk("one", "two", "three"))
    await house.guard.check(talk("one", "two", "three"), **beside)
    await house.guard.check(talk("one", "two", "three", "four", "five"), **beside)
    assert house.judged[1:3] == [["one", "three"], ["two", "three"]]
    assert house.judged[3] == ["four", "five"]


async def test_another_constitution_knows_nothing(tmp_path: Path) -> None:
    key = tmp_path / "key"
    for name, text in (("a", written(RULES)), ("b", written(RULES.replace("kind.", "kind!")))):
        (tmp_path / name).mkdir()
        house = House(tmp_path / name, text=text, key_file=key)
        if name == "a":
            await house.turn(talk("one"), "two")
            again = House(tmp_path / name, text=text, key_file=key)
            await again.turn(talk("one", "two", "three"), "four")
            assert again.judged == [["three"]], "guards of one process and key share what is kept"
        else:
            await house.turn(talk("one", "two", "three"), "four")
            assert house.judged == [["one", "two", "three"]]


async def test_the_applications_own_words_come_first_wherever_they_stand(house: House) -> None:
    def asked(*texts: str, system: str = "Be brief.", behind: bool = False) -> dict[str, Any]:
        own = {"system": system}
        said = {"model": "m", "max_tokens": 9, "messages": talk(*texts)}
        return {**said, **own} if behind else {**own, **said}

    await house.turn(asked("one"), "two")  # type: ignore[arg-type]  # a whole request
    await house.turn(asked("one", "two", "three", behind=True), "four")  # type: ignore[arg-type]
    await house.turn(asked("one", "two", "three", system="Be long."), "four")  # type: ignore[arg-type]
    assert house.judged == [["one"], ["three"], ["one", "two", "three"]]


def sent(**said: Any) -> Body:
    """A client's request, whose system text is not the application's own."""
    data = json.dumps({"model": "m", "max_tokens": 9, **said}).encode()
    format = NAMES["anthropic" if "system" in said else "openai-chat"]
    return format.request(Payload(data=data, media_type="application/json"), trust_system=False)


async def test_a_clients_own_system_text_is_known_where_it_stands(house: House) -> None:
    brief, talked = {"role": "system", "content": "Be brief."}, talk("one", "two", "three")
    await house.guard.check_input(sent(messages=[brief, *talk("one")]))
    await house.guard.check_output("two", prompt=sent(messages=[brief, *talk("one")]))
    for messages in ([brief, *talked], [*talk("one"), brief, *talked[1:]]):
        await house.guard.check_input(sent(messages=messages))
    assert house.judged[1:] == [["three"], ["one", "Be brief.", "two", "three"]]


@pytest.mark.parametrize("behind", [False, True])
async def test_beside_the_conversation_it_may_stand_before_or_behind(
    behind: bool, house: House
) -> None:
    await house.guard.check_input(sent(system="Be brief.", messages=talk("one")))
    await house.guard.check_output("two", prompt=sent(system="Be brief.", messages=talk("one")))
    said = {"system": "Be brief.", "messages": talk("one", "two", "three")}
    await house.guard.check_input(sent(**dict(reversed(said.items())) if behind else said))
    assert house.judged[1] == (["three", "Be brief."] if behind else ["three"])


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
SAID = {"type": "text", "text": "two"}
CALLED = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"word": "garden"}}


def message(*content: dict[str, Any]) -> Message:
    return Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": content,
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    )


@pytest.mark.parametrize("content", [[THOUGHT, SAID], [SAID], "two"])
async def test_what_a_model_thought_may_be_left_out(content: object, house: House) -> None:
    await house.turn(talk("one"), message(THOUGHT, SAID))
    history: Any = [*talk("one"), {"role": "assistant", "content": content}, *talk("three")]
    await house.turn(history, "four")
    assert house.judged == [["one"], ["three"]]


async def test_a_call_of_a_tool_is_known_and_its_result_is_new(house: House) -> None:
    await house.turn(talk("one"), message(SAID, CALLED))
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "green"}
    history: Any = [
        *talk("one"),
        {"role": "assistant", "content": [SAID, CALLED]},
        {"role": "user", "content": [result]},
    ]
    await house.turn(history, "four")
    assert house.judged == [["one"], ["green"]]


def used(**arguments: Any) -> dict[str, Any]:
    return {**CALLED, "input": arguments}


MOVED: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "between calls": (
        [used(to="alice", text="all is well"), used(to="bob", text="run")],
        [used(to="alice", text="run"), used(to="bob", text="all is well")],
    ),
    "between objects": (
        [used(allow={"a": {"tool": "mail"}}, deny={"a": {"tool": "shell"}})],
        [used(deny={"a": {"tool": "mail"}}, allow={"a": {"tool": "shell"}})],
    ),
    "in a list": ([used(steps=["save", "delete"])], [used(steps=["delete", "save"])]),
    "into one": ([used(a="x"), used(b="y")], [used(a="x", b="y")]),
    "named by a word": ([used(name="look_up", of="x")], [{**used(of="x"), "name": "name"}]),
}


@pytest.mark.parametrize("moved", MOVED)
async def test_promise_2_words_that_moved_to_another_place_of_a_call_are_judged(
    moved: str, house: House
) -> None:
    said, sent = MOVED[moved]
    await house.turn(talk("one"), message(SAID, *said))
    for content, judged in ((said, False), (sent, True)):
        history: Any = [*talk("one"), {"role": "assistant", "content": [SAID, *content]}]
        await house.turn([*history, *talk("three")], "four")
        assert (house.judged[-1] != ["three"]) == judged


plain = st.dictionaries(
    st.sampled_from(["a", "b", "name", "input"]),
    st.recursive(
        st.sampled_from(["a", "x", "1"]),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["a", "name"]), inner, max_size=2)
        ),
        max_leaves=5,
    ),
    min_size=1,
    max_size=3,
)


def backwards(value: Any) -> Any:
    """The same with the fields of all objects the other way round."""
    if isinstance(value, dict):
        return {key: backwards(item) for key, item in reversed(value.items())}
    return [backwards(item) for item in value] if isinstance(value, list) else value


@given(one=st.lists(plain, min_size=1, max_size=2), other=st.lists(plain, min_size=1, max_size=2))
def test_promise_2_calls_are_alike_only_if_all_their_arguments_are(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    """Where a value has a text at all."""

    def turns(calls: list[dict[str, Any]], as_json: bool) -> list[Any]:
        made: list[dict[str, Any]] = [used(**arguments) for arguments in calls]
        said: dict[str, Any] = {"role": "assistant", "content": made}
        if as_json:
            functions = [{"name": "f", "arguments": json.dumps(each)} for each in calls]
            tool_calls = [{"type": "function", "function": each} for each in functions]
            said = {"role": "assistant", "tool_calls": tool_calls}
        return [turn for turn, _ in turns_of(enumerate(asyncio.run(parts([said]))))]

    for as_json in (False, True):
        expected = turns(one, as_json)
        assert turns([backwards(call) for call in one], as_json) == expected
        assert (turns(other, as_json) == expected) == (_worded(one) == _worded(other))


def _worded(value: Any) -> Any:
    """Without empty lists and objects, which hold no text, at the end of a way."""
    if isinstance(value, dict):
        return {key: _worded(item) for key, item in value.items()}
    if isinstance(value, list):
        return {number: worded for number, item in enumerate(value) if (worded := _worded(item))}
    return value


async def test_thoughts_of_others_than_a_model_tell_apart(house: House) -> None:
    thinking: Any = {"role": "user", "content": [THOUGHT, {"type": "text", "text": "one"}]}
    await house.turn([thinking], "two")
    await house.turn(talk("one", "two", "three"), "four")
    assert house.judged == [["Hm.", "one"], ["one", "two", "three"]]


async def test_another_model_that_stands_in_knows_nothing(tmp_path: Path) -> None:
    shared = {"key_file": tmp_path / "key", "models": {"small": "anthropic/one"}}
    one = House(tmp_path, **shared, fallbacks={"small": "anthropic/two"})
    other = House(tmp_path, **shared, fallbacks={"small": "anthropic/three"})
    await one.turn(talk("one"), "two")
    await other.turn(talk("one", "two", "three"), "four")
    assert other.judged == [["one", "two", "three"]]


async def test_of_a_conversation_of_too_many_parts_nothing_is_kept(tmp_path: Path) -> None:
    house = House(tmp_path, text=written(RULES, head="budget: {max_chars: 50000}"))
    turns = house.guard._enforcement.turns
    assert turns is not None
    long = talk(*["yes"] * (MOST_PARTS + 1))
    for _ in range(2):
        decision = await house.guard.check_input(long)
        assert (decision.verdict, decision.coverage.known_parts) == (Verdict.ALLOW, 0)
    await house.guard.check_output("two", prompt=long[:-1])
    await house.guard.check_output(["two"] * (MOST_PARTS + 1), prompt=talk("one"))
    status = turns._cache.status
    assert (status.hits, status.misses) == (0, 0), "nobody asked"
    assert len(turns._cache._store) == 0  # type: ignore[arg-type]  # one in memory


@pytest.mark.parametrize("many", [1, 150])
async def test_a_conversation_of_any_length_below_is_remembered(many: int, tmp_path: Path) -> None:
    house = House(tmp_path, text=written(RULES, head="budget: {max_chars: 50000}"))
    said = ["yes"] * (2 * many + 1)
    await house.turn(talk(*said), "two")
    decision = await house.guard.check_input(talk(*said, "two", "three"))
    assert decision.coverage.known_parts == len(said) + 1


PAGE = "The order 77120 was shipped to Mill Lane 12 by mistake."
FLOWS = """
tools:
  rules:
    look_up: {never_from: [read_web]}
"""


async def test_what_a_tool_gave_in_a_known_turn_may_not_flow_into_another(tmp_path: Path) -> None:
    house = House(tmp_path, text=written(RULES).replace("principles:", FLOWS + "principles:"))
    read = {"type": "tool_use", "id": "toolu_0", "name": "read_web", "input": {"page": "order"}}
    given = {"type": "tool_result", "tool_use_id": "toolu_0", "content": PAGE}
    first: list[Any] = [
        *talk("one"),
        {"role": "assistant", "content": [read]},
        {"role": "user", "content": [given]},
    ]
    await house.turn(talk("one"), message(read))
    await house.turn(first, "It was shipped.")
    later: list[Any] = [*first, {"role": "assistant", "content": "It was shipped."}, *talk("three")]
    for word, verdict in (("garden", Verdict.ALLOW), ("order 77120", Verdict.BLOCK)):
        async with house.guard.call() as call:
            asked = await call.check(later, stage=Stage.INPUT)
            assert asked.coverage.known_parts == 6, "all but the newest"
            said = await call.check(message(used(word=word)), stage=Stage.OUTPUT, prompt=later)
            assert said.verdict is verdict
    assert house.judged[-1] == ["three"]


def said_by(role: str, *content: Any) -> dict[str, Any]:
    return {"role": role, "content": list(content)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


SAID_BEFORE = said_by("user", text("one, "), text("caf\u00e9"))
OTHERWISE: dict[str, list[Any]] = {
    "split elsewhere": [said_by("user", text("one"), text(", caf\u00e9"))],
    "in one": [said_by("user", text("one, caf\u00e9"))],
    "the other way round": [said_by("user", text("caf\u00e9"), text("one, "))],
    "with letters that look the same": [said_by("user", text("one, "), text("cafe\u0301"))],
    "with what shows nothing": [said_by("user", text("one, "), text("caf\u00e9\u200b"))],
    "in wide letters": [said_by("user", text("\uff4fne, "), text("caf\u00e9"))],
    "by the model": [said_by("assistant", text("one, "), text("caf\u00e9"))],
    "by a tool": [said_by("tool", text("one, "), text("caf\u00e9"))],
    "by the application": [said_by("system", text("one, "), text("caf\u00e9")), *talk("one")],
    "half by the application": [
        said_by("system", text("one, ")),
        said_by("user", text("caf\u00e9")),
    ],
    "as a document": [
        said_by("user", text("one, "), {"type": "search_result", "content": [text("caf\u00e9")]})
    ],
    "as a result": [
        said_by("user", text("one, "), {"type": "tool_result", "content": [text("caf\u00e9")]})
    ],
    "twice": [SAID_BEFORE, SAID_BEFORE],
    "behind another": [*talk("zero"), SAID_BEFORE],
    "with a name": [{**SAID_BEFORE, "name": "one"}],
}


STILL_KNOWN = {
    "with letters that look the same": 1,
    "with what shows nothing": 1,
    "as a document": 1,
    "as a result": 1,
    "twice": 2,
    "with a name": 2,
}
"""Of the words before the first other one."""


@pytest.mark.parametrize("how", OTHERWISE)
async def test_promise_2_the_same_words_otherwise_are_other_words(how: str, house: House) -> None:
    """And so is all that follows them; the reply among it, which went out after others."""
    await house.turn([SAID_BEFORE], "two")
    again = [{"role": "assistant", "content": "two"}, *talk("three")]
    decision = await house.turn([*OTHERWISE[how], *again], "four")
    assert house.judged[1][-2:] == ["two", "three"]
    assert decision.coverage.known_parts == STILL_KNOWN.get(how, 0)
    await house.turn([SAID_BEFORE, *again], "four")
    assert house.judged[2] == ["three"]


async def test_promise_1_what_is_not_on_record_is_not_known(tmp_path: Path) -> None:
    house = House(tmp_path, trail=FailingTrail("open"))
    with pytest.raises(AuditError):
        await house.guard.check_input(talk("one"))
    turns = house.guard._enforcement.turns
    assert turns is not None
    seen = await turns.look((await parts(talk("one", "two", "three"))), Context())
    assert seen.known == frozenset()


async def parts(messages: object) -> Any:
    from guardrails.guard.content import read_content

    return (await read_content(messages, Stage.INPUT)).parts


async def test_a_judge_that_wavers_does_not_make_a_stopped_turn_known(house: House) -> None:
    await house.turn(talk("one"), "two")
    house.word = breaching("house.kind")
    await house.turn(talk("one"), "two")
    house.word = passing
    await house.turn(talk("one", "two", "three"), "four")
    assert house.judged[-1] == ["one", "three"]


@pytest.mark.parametrize(
    ("text", "offline", "remembers"),
    [
        (written(RULES), False, True),
        (written(RULES), True, False),  # what is left costs little
        (written(RULES, head="cache: {ttl_s: 0}"), False, False),
        (written(RULES).replace("principles:", PII + "principles:"), True, True),
    ],
    ids=["judge", "patterns", "nothing is kept", "personal data"],
)
def test_it_is_remembered_where_it_pays(
    text: str, offline: bool, remembers: bool, tmp_path: Path
) -> None:
    house = House(tmp_path, text=text, offline=offline)
    assert (house.guard._enforcement.turns is not None) == remembers
    assert House(tmp_path, text=text, offline=offline, cache="off").guard._enforcement.turns is None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as server:
        yield server


async def test_replicas_share_what_they_know_through_redis(server: Server, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"cache": server.url, "key_file": tmp_path / "key"}
    one, other = (House(tmp_path, **settings) for _ in range(2))
    await one.turn(talk("one"), "two")
    await other.turn(talk("one", "two", "three"), "four")
    assert other.judged == [["three"]]
    with server.client() as redis:
        assert all(b"one" not in redis.get(key) for key in redis.scan_iter())
    server.kill()
    await other.turn(talk("one", "two", "three"), "four")
    assert other.judged[1] == ["one", "two", "three"], "what nobody knows is judged"
    await one.guard.aclose()
    await other.guard.aclose()


@pytest.mark.parametrize("said", NONSENSE)
async def test_promise_2_a_store_that_talks_nonsense_knows_nothing(
    said: str, tmp_path: Path
) -> None:
    async with talking_nonsense(NONSENSE[said]) as url:
        house = House(tmp_path, cache=url, key_file=tmp_path / "key")
        await house.turn(talk("one"), "two")
        await house.turn(talk("one", "two", "three"), "four")
        assert house.judged == [["one"], ["one", "two", "three"]]
        await house.guard.aclose()


words = st.sampled_from(["yes", "no", "well", "perhaps"])


@given(
    said=st.lists(words, min_size=3, max_size=9).filter(lambda said: len(said) % 2 == 1),
    at=st.integers(0, 8),
    other=st.sampled_from(["never", "yes ", ""]),
)
def test_promise_2_what_follows_on_other_words_is_judged(
    said: list[str], at: int, other: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at %= len(said)
    asyncio.run(_changed_at(said, at, other, House(tmp_path_factory.mktemp("house"))))


async def _changed_at(said: list[str], at: int, other: str, house: House) -> None:
    for turn in range(1, len(said), 2):
        await house.turn(talk(*said[:turn]), said[turn])
    changed = [*said[:at], other, *said[at + 1 :]]
    decision = await house.guard.check_input(talk(*changed))
    expected = changed[at:] if at < len(said) - 1 else changed[-1:]
    assert house.judged[-1] == expected if any(expected) else True
    assert decision.coverage.known_parts == len(said) - len(expected)


def test_a_guard_in_other_threads_learns_the_same(house: House) -> None:
    house.guard.sync.check_input(talk("one"))
    house.guard.sync.check_output("two", prompt=talk("one"))
    house.guard.sync.check_input(talk("one", "two", "three"))
    assert house.judged == [["one"], ["three"]]
    assert isinstance(house.guard, Guard)


uttered = st.sampled_from(["yes", "no", "oddly", "a secret", "forbidden"])
asked = st.tuples(
    st.lists(uttered, min_size=1, max_size=5).filter(lambda said: len(said) % 2 == 1),
    st.sampled_from(["a", "b"]),
    uttered,
)


@given(turns=st.lists(asked, max_size=8))
def test_promise_2_nothing_is_known_but_what_was_let_in_or_went_out(
    turns: list[tuple[list[str], str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is asked, replied and made up, by whom and in which order."""
    asyncio.run(_as_modelled(turns, House(tmp_path_factory.mktemp("house"))))


async def _as_modelled(turns: list[tuple[list[str], str, str]], house: House) -> None:
    known: dict[tuple[str, ...], bool] = {}
    for said, tenant, reply in turns:
        before = len(house.judged)
        decision = await house.turn(talk(*said), reply, Context(tenant=tenant))
        new = [n for n in range(len(said)) if not known.get((tenant, *said[: n + 1]))]
        newest = len(said) - 1
        if newest not in new:
            new.append(newest)
        assert decision.coverage.known_parts == len(said) - len(new)
        stops = any(said[n] == "forbidden" for n in new)
        assert decision.delivers == (not stops)
        if not stops:
            assert house.judged[before] == [said[n] for n in new]
        for n in new:
            known[tenant, *said[: n + 1]] = not stops and said[n] != "a secret"
        went_out = {"forbidden": REPLY, "a secret": "a "}.get(reply, reply)
        known[tenant, *said, REPLY if stops else went_out] = True
