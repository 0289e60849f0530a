"""What is found across the borders of texts that are read as one: the blocks of a message, and
messages of one role."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response

from guardrails.critic.protocol import CriticFinding, Critique, CritiqueRequest, Width
from guardrails.exchange import Part
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import passing, scripted_critic
from guardrails.testing.critics import Answer
from guardrails.verdict import Decision
from guardrails.wire.runs import runs

STAGES = "stages: [input, output, tool_result]"
RULES = f"""schema: 1
id: house
version: 1.0.0
principles:
  - {{id: house.forbidden, text: Nothing forbidden., {STAGES}, action: block,
     critics: [pattern: {{breach: ['\\bkeep it dark\\b']}}]}}
  - {{id: house.secret, text: Keeps the secret., {STAGES}, action: redact,
     critics: [pattern: {{breach: ['swordfish']}}]}}
  - {{id: house.number, text: No numbers., {STAGES}, action: flag,
     critics: [pattern: {{breach: ['\\b\\d{{4}} \\d{{4}}\\b']}}]}}
pii:
  input: {{CREDIT_CARD: block}}
  output: {{EMAIL_ADDRESS: mask}}
"""


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    file: Path = tmp_path_factory.mktemp("house") / "house.yaml"
    file.write_text(RULES)
    return Guard.load(file, offline=True, settings=Settings(audit="memory"))


def blocks(*texts: str, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, **more} for text in texts]


def user(content: object) -> dict[str, Any]:
    return {"role": "user", "content": content}


def message(*texts: str) -> Message:
    return Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "a-model",
            "content": blocks(*texts),
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    )


def response(*output: dict[str, Any]) -> Response:
    return Response.model_validate(
        {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": "a-model",
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
    )


def found(decision: Decision) -> list[tuple[str, int | None, tuple[int, int] | None]]:
    return sorted((f.principle, f.part, f.span) for f in decision.findings)


IMAGE = {"type": "image", "source": {"type": "base64", "data": "aGk="}}
CACHED = {"cache_control": {"type": "ephemeral"}}
CITED = {"citations": [{"type": "char_location", "cited_text": "x", "document_title": "y"}]}
FORBIDDEN: dict[str, Any] = {
    "a word cut in two": [user(blocks("please ke", "ep it dark, now"))],
    "cut between words": [user(blocks("please keep it", "dark, now"))],
    "cut at a blank": [user(blocks("please keep it ", "dark, now"))],
    "cut in many": [user(blocks(*"keep it dark"))],
    "with nothing in between": [user(blocks("keep i", "", "", "t dark"))],
    "with blanks in between": [user(blocks("keep it", " ", "dark"))],
    "marked to be kept": [user(blocks("keep i", "t dark", **CACHED))],
    "beside what it cites": [user(blocks("keep i", "t dark", **CITED))],
    "around an image": [user([*blocks("keep i"), IMAGE, *blocks("t dark")])],
    "in strings": [user(["keep i", "t dark"])],
    "in messages": [user("keep i"), user("t dark")],
    "in messages with blocks": [user(blocks("x ", "keep i")), user(blocks("t dark", " x"))],
    "in blocks between messages": [user("x"), user(blocks("keep i", "t dark")), user("x")],
    "in messages around another": [user("keep i"), user([IMAGE]), user("t dark")],
    "in the result of a tool": [
        user([{"type": "tool_result", "tool_use_id": "t", "content": blocks("keep i", "t dark")}])
    ],
    "in a document": [
        user(
            [
                {
                    "type": "document",
                    "source": {"type": "content", "content": blocks("keep i", "t dark")},
                }
            ]
        )
    ],
    "in the form of responses": {
        "model": "m",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "keep i"}]},
            {"role": "user", "content": "t dark"},
        ],
    },
    "in what a tool gave": {
        "model": "m",
        "input": [
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_text", "text": t} for t in ("keep i", "t dark")],
            }
        ],
    },
    "in another script": [user(blocks("keep\u200b i", "\u200bt dark"))],
}


@pytest.mark.parametrize("messages", FORBIDDEN.values(), ids=FORBIDDEN)
def test_promise_1_a_text_cut_over_blocks_is_judged_joined(guard: Guard, messages: Any) -> None:
    decision = guard.sync.check_input(messages)
    assert "house.forbidden" in decision.breaches


APART: dict[str, Any] = {
    "another role in between": [
        user("keep i"),
        {"role": "assistant", "content": "What?"},
        user("t dark"),
    ],
    "a tool's result in between": [
        user("keep i"),
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "x"},
        user("t dark"),
    ],
    "other words in between": [user(blocks("keep i", "x", "t dark"))],
    "results of two tools": [
        user(
            [
                {"type": "tool_result", "tool_use_id": "t", "content": "keep i"},
                {"type": "tool_result", "tool_use_id": "u", "content": "t dark"},
            ]
        )
    ],
    "words that only meet": [user(blocks("they keep", "it darkens"))],
}


@pytest.mark.parametrize("messages", APART.values(), ids=APART)
def test_what_is_not_read_as_one_is_not_joined(guard: Guard, messages: Any) -> None:
    assert not guard.sync.check_input(messages).breaches


def test_fields_of_an_applications_own_are_not_joined(guard: Guard) -> None:
    for value in (
        ["keep i", "t dark"],
        {"content": "keep i", "text": "t dark"},
        [{"text": "keep i"}, {"text": "t dark"}],
        {"messages": [{"role": "a", "content": "keep i"}, {"role": "b", "content": "t dark"}]},
    ):
        assert not guard.sync.check_output(value).findings


def test_a_finding_counts_on_each_piece_and_is_taken_out_of_all(guard: Guard) -> None:
    decision = guard.sync.check_output(message("The word is sword", "fi", "sh. Fine."))
    assert found(decision) == [
        ("house.secret", 0, (12, 17)),
        ("house.secret", 1, (0, 2)),
        ("house.secret", 2, (0, 2)),
    ]
    assert decision.verdict == "redact"
    joined = "".join(block.text for block in decision.content.content)
    assert "swordfish" not in joined
    assert not any(piece in joined for piece in ("sword", "fi", "sh"))
    assert joined.endswith(". Fine.")


def test_what_stands_in_one_piece_is_found_once(guard: Guard) -> None:
    decision = guard.sync.check_output(message("swordfish", "swordfish"))
    assert found(decision) == [("house.secret", 0, (0, 9)), ("house.secret", 1, (0, 9))]
    decision = guard.sync.check_output(message("1234 5678", "1234 5678"))
    assert [part for _, part, _ in found(decision)].count(0) == 1


def test_personal_data_is_masked_in_both_pieces(guard: Guard) -> None:
    decision = guard.sync.check_output(message("Write to ann@exam", "ple.org today."))
    first, second = (block.text for block in decision.content.content)
    assert decision.verdict == "redact"
    assert "ann" not in first
    assert "ple.org" not in second


def test_replies_of_other_providers_are_joined_too(guard: Guard) -> None:
    def said(*texts: str) -> dict[str, Any]:
        content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
        return {"type": "message", "id": "m", "role": "assistant", "status": "completed",
                "content": content}  # fmt: skip

    for reply in (response(said("keep i", "t dark")), response(said("keep i"), said("t dark"))):
        assert guard.sync.check_output(reply).breaches == ("house.forbidden",)


def test_choices_are_alternatives(guard: Guard) -> None:
    choices = [{"index": n, "message": {"role": "assistant", "content": text}}
               for n, text in enumerate(("keep i", "t dark"))]  # fmt: skip
    assert not guard.sync.check_output({"choices": choices}).breaches


def test_promise_10_thousands_of_blocks_are_looked_at_in_time(guard: Guard) -> None:
    texts = ["x " * 20, "", " \n", "\u200b", "4"] * 2_000
    decision = guard.sync.check_input([user(blocks(*texts))])
    assert decision.cause != "limit"
    decision = guard.sync.check_input([user(blocks(*texts, " keep i", "t dark ", *texts))])
    assert "house.forbidden" in decision.breaches


def test_more_findings_than_are_told_refuse_what_could_not_be_taken_out(guard: Guard) -> None:
    few = guard.sync.check_output(message("Well.", *("swordfish" * 50)))
    assert few.verdict == "redact"
    assert "".join(block.text for block in few.content.content) == "Well."
    many = guard.sync.check_output(message("Well.", *("swordfish" * 300)))
    assert many.verdict == "block"


@given(
    texts=st.lists(
        st.text(alphabet="kepitdar \u200b\u0301e\ufb01swordfish\n", max_size=12), max_size=8
    ),
    cuts=st.lists(st.integers(0, 40), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_promise_4_wherever_a_text_is_cut_its_secret_is_found(
    guard: Guard, texts: list[str], cuts: list[int]
) -> None:
    text = "".join(texts[:4]) + "swordfish" + "".join(texts[4:])
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    decision = guard.sync.check_output(message(*pieces))
    assert "house.secret" in decision.breaches
    if decision.verdict == "redact":
        joined = "".join(block.text for block in decision.content.content)
        assert "swordfish" not in joined.replace("\u200b", "")


def judged_by(folder: Path, answer: Answer) -> Decision:
    """Two blocks, judged by a critic that says its word about what stands across their border."""
    critic = scripted_critic(answer, name="mine", tier="deterministic", need=Width(10))
    file = folder / "mine.yaml"
    file.write_text(
        "schema: 1\nid: mine\nversion: 1.0.0\nprinciples:\n"
        "  - {id: mine.own, text: a, action: redact, on_undecided: block, critics: [mine]}\n"
    )
    guard = Guard.load(file, critics=[critic], settings=Settings(audit="memory"))
    return guard.sync.check_output(message("one", "two"))


def about(word: str, **said: Any) -> Callable[[CritiqueRequest], Critique]:
    def answer(request: CritiqueRequest) -> Critique:
        ids = frozenset(request.asked)
        place = next((t.part for t in request.targets if t.text == word), None)
        if place is None:
            return Critique(looked=ids)
        findings = [CriticFinding(principle=id, part=place, **said) for id in ids if said]
        doubt = dict.fromkeys(ids, "undecided")
        return Critique(looked=ids, findings=tuple(findings), verdicts={} if said else doubt)  # type: ignore[arg-type]

    return answer


def test_what_a_critic_says_of_a_border_is_told_of_the_pieces(tmp_path: Path) -> None:
    for word in ("onetwo", "one two"):
        last = len(word) - 2
        decision = judged_by(tmp_path, about(word, value="breach", span=(2, last)))
        assert found(decision) == [("mine.own", 0, (2, 3)), ("mine.own", 1, (0, 1))]
    assert judged_by(tmp_path, about("onetwo", value="breach", span=(0, 3))).verdict == "allow"
    assert judged_by(tmp_path, about("onetwo", value="breach")).verdict == "allow"


def test_promise_2_a_critic_that_cannot_tell_of_a_border_has_not_told(tmp_path: Path) -> None:
    def fails(request: CritiqueRequest) -> Critique:
        if any(target.text == "onetwo" for target in request.targets):
            raise ValueError
        return passing(request)

    for answer in (
        about("onetwo"),
        about("onetwo", value="undecided"),
        about("onetwo", value="undecided", span=(2, 4)),
        fails,
    ):
        decision = judged_by(tmp_path, answer)
        assert (decision.verdict, decision.cause) == ("block", "undecided")
    assert judged_by(tmp_path, passing).verdict == "allow"


def test_what_only_helps_to_judge_is_read_on_and_never_found_anything_in() -> None:
    parts = [
        Part(text=text, path=("messages", n, "content"), target=target)
        for n, (text, target) in enumerate((("a", False), ("b", False), ("c", True)))
    ]
    assert runs(parts) == [[[0], [1], [2]]]
    assert runs(parts[:2]) == []


def test_a_single_text_is_looked_at_once(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.pipeline import tiers

    looked: list[int] = []
    real = tiers.look_at

    async def counted(parts: Any) -> Any:
        looked.append(len(parts))
        return await real(parts)

    monkeypatch.setattr(tiers, "look_at", counted)
    guard.sync.check_input([user("hello"), {"role": "assistant", "content": "hi"}, user("bye")])
    assert looked == [3]
