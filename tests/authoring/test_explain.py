"""An explanation holds who saw what, where it is written, and what would be asked of a judge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from authoring_samples import REGISTRY, loaded, principle, written

from guardrails.authoring.explain import Explanation, explain
from guardrails.constitution.load import load_constitution
from guardrails.exchange import Context, Part
from guardrails.testing import broken_critic, passing, scripted_critic
from guardrails.verdict import Stage, Verdict

PARENT = r"""
id: parent
version: 1.0.0
principles:
  - id: p.promise
    text: Promises nothing.
    breach: Says what will surely be done.
    not_breach: Quotes the terms.
    action: revise
    critics:
      - pattern:
          breach: ['\bwe guarantee\b']
          unless: ['\bterms\b']
          look: ['\bwe will refund\b']
      - negative_examples
      - judge
    examples:
      breach:
        - You will get all of your money back today.
        - {prompt: When?, reply: You can surely have it by Friday.}
      fine: [The terms allow fourteen days.]
  - id: p.code
    text: Names no code.
    critics: [{pattern: {breach: ['\bcode \d+\b'], unless: ['\bsample\b']}}]
  - {id: p.kind, text: Is kind., applies: {audience: [child]}}
  - {id: p.look, text: Is calm., critics: [{pattern: {look: [anger]}}, {judge: {when: look}}]}
pii: {output: {EMAIL_ADDRESS: redact}}
"""
CHILD = r"""
id: child
version: 2.0.0
extends: [parent@^1]
relax:
  - id: p.code
    set: {unless: ['\bexample\b']}
    reason: examples have codes
principles:
  - id: p.promise
    critics:
      - pattern: {breach: ['\bI swear\b']}
"""
CALLER = Context(attributes={"audience": "adult"})


@pytest.fixture(autouse=True)
def _no_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(tmp_path / "audit.db"))
    monkeypatch.delenv("GUARDRAILS_CONSTITUTIONS", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("parent", PARENT), ("child", CHILD)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def line(folder: Path, name: str, text: str) -> str:
    """The place of the first line of a file that holds a text."""
    lines = (folder / f"{name}.yaml").read_text().splitlines()
    number = next(n for n, said in enumerate(lines, 1) if text in said)
    return f"{folder}/{name}.yaml:{number}"


async def explained(
    folder: Path,
    text: str,
    *,
    name: str = "child",
    prompt: str | None = None,
    critics: Any = (),
    context: Context = CALLER,
) -> Explanation:
    constitution = load_constitution(folder / f"{name}.yaml", catalogue=REGISTRY)
    parts = [Part(text=text, role="assistant")]
    if prompt is not None:
        parts.insert(0, Part(text=prompt, target=False))
    return await explain(constitution, parts, stage=Stage.OUTPUT, context=context, critics=critics)


def states(found: Explanation) -> Mapping[str, str]:
    return {one.principle: one.state for one in found.principles}


def notes(found: Explanation, critic: str) -> list[tuple[str, str, Any]]:
    (heard,) = (one for one in found.heard if one.critic == critic)
    return [
        (note.value, note.principle, [(b.kind, b.source, b.place) for b in note.because])
        for note in heard.notes
    ]


async def test_a_hit_is_told_with_its_pattern_and_the_file_that_holds_it(folder: Path) -> None:
    found = await explained(folder, "I swear it. We guarantee it.")
    swear, guarantee = r"\bI swear\b", r"\bwe guarantee\b"
    assert notes(found, "pattern") == [
        ("breach", "p.promise", [("breach", swear, line(folder, "child", "I swear"))]),
        ("breach", "p.promise", [("breach", guarantee, line(folder, "parent", "we guarantee"))]),
    ]
    assert states(found)["p.promise"] == "breach"
    assert found.decision.verdict >= Verdict.REVISE


async def test_an_exception_is_told_beside_the_hit_that_it_turns_into_a_look(folder: Path) -> None:
    found = await explained(folder, "Under the terms we guarantee it.")
    terms = ("unless", r"\bterms\b", line(folder, "parent", "unless: ["))
    hit = ("breach", r"\bwe guarantee\b", line(folder, "parent", "we guarantee"))
    assert notes(found, "pattern") == [("look", "p.promise", [hit, terms])]
    (standing,) = (one for one in found.principles if one.principle == "p.promise")
    assert (standing.state, standing.look, standing.by) == ("open", True, ("judge",))


async def test_a_hit_that_is_excused_is_told_though_it_has_no_effect(folder: Path) -> None:
    found = await explained(folder, "For example code 12.")
    excuse = ("unless", r"\bexample\b", line(folder, "child", "example"))
    hit = ("breach", r"\bcode \d+\b", line(folder, "parent", "critics: [{pattern: {breach: "))
    assert ("excepted", "p.code", [hit, excuse]) in notes(found, "pattern")
    assert states(found)["p.code"] == "passed"


async def test_a_bad_example_and_what_is_near_one_are_told_with_it(folder: Path) -> None:
    same = await explained(folder, "You will get all of your money back today!")
    example = "You will get all of your money back today."
    place = line(folder, "parent", "You will get all")
    assert notes(same, "negative_examples") == [
        ("breach", "p.promise", [("example", example, place)])
    ]
    near = await explained(folder, "You can surely have it by Friday, I think.")
    assert notes(near, "negative_examples") == [
        (
            "look",
            "p.promise",
            [
                (
                    "example",
                    "You can surely have it by Friday.",
                    line(folder, "parent", "You can surely"),
                )
            ],
        )
    ]


async def test_personal_data_is_told_with_its_score_and_hidden_from_the_judge(
    folder: Path,
) -> None:
    found = await explained(folder, "Write to b.long@clinic.org now.")
    (heard,) = (one for one in found.heard if one.critic == "pii")
    assert [note.reason for note in heard.notes] == ["EMAIL_ADDRESS 1.00"]
    assert [note.span for note in heard.notes] == [(9, 26)]
    (seen,) = found.seen
    assert seen.for_models == "Write to [EMAIL_ADDRESS_1] now."


async def test_spans_are_of_the_text_as_it_came(folder: Path) -> None:
    text = "We gua\u00adrantee it, code １２."
    found = await explained(folder, text)
    (heard,) = (one for one in found.heard if one.critic == "pattern")
    assert [text[slice(*note.span)] for note in heard.notes if note.span] == [
        "We gua\u00adrantee",
        "code １２",
    ]
    (seen,) = found.seen
    assert seen.normalised == "We guarantee it, code 12."


async def test_a_judge_is_asked_in_declared_order_with_all_that_it_reads(folder: Path) -> None:
    found = await explained(folder, "Some anger.", context=Context())
    assert [one.principle for one in found.questions] == ["p.promise", "p.kind", "p.look"]
    question = found.questions[0]
    assert (question.text, question.breach) == (
        "Promises nothing.",
        "Says what will surely be done.",
    )
    assert [example.reply for example in question.fine_examples] == [
        "The terms allow fourteen days."
    ]
    assert states(found)["p.look"] == "open"


async def test_who_is_not_asked_is_told_with_the_reason(folder: Path) -> None:
    found = await explained(folder, "Hello.")
    assert states(found) == {
        "p.promise": "open",
        "p.code": "passed",
        "p.kind": "not_for_caller",
        "p.look": "passed",
        "pii.output.EMAIL_ADDRESS": "passed",
    }
    blocked = await explained(folder, "Here is code 12.")
    assert states(blocked)["p.code"] == "breach"
    assert states(blocked)["p.promise"] in ("open", "moot")
    asked = {one.principle for one in blocked.questions}
    assert (states(blocked)["p.promise"] == "open") is ("p.promise" in asked)


async def test_a_critic_that_fails_is_told_and_leaves_a_doubt(folder: Path) -> None:
    broken = broken_critic("raises", name="pattern", tier="deterministic")
    broken.Config = REGISTRY["pattern"].config
    found = await explained(folder, "Hello.", critics=[broken])
    (heard,) = (one for one in found.heard if one.critic == "pattern")
    assert heard.failed == "RuntimeError"
    assert states(found)["p.code"] == "undecided"


async def test_a_local_critic_that_passes_settles(folder: Path) -> None:
    (folder / "child.yaml").write_text(
        CHILD.replace("      - pattern: {breach", "      - screen\n      - pattern: {breach")
    )
    screen = scripted_critic(passing, name="screen", tier="local")
    screen.Config = REGISTRY["screen"].config
    found = await explained(folder, "Hello.", critics=[screen])
    (standing,) = (one for one in found.principles if one.principle == "p.promise")
    assert (standing.state, standing.by) == ("passed", ("screen",))
    assert "p.promise" not in {one.principle for one in found.questions}


async def test_no_model_is_asked_and_nothing_goes_on_record(folder: Path) -> None:
    judge = scripted_critic([])  # raises when it is asked
    found = await explained(folder, "Hello.", critics=[judge], prompt="Say hello.")
    assert not judge.asked
    assert found.decision.constitution.offline
    assert not found.decision.record_id
    assert not (folder / "audit.db").exists()


async def test_a_constitution_that_no_file_holds_has_no_places() -> None:
    constitution = loaded(written(principle(critics=[{"pattern": {"breach": ["ab+a"]}}])))
    found = await explain(constitution, [Part(text="abba", role="assistant")], stage=Stage.OUTPUT)
    (heard,) = found.heard
    assert [because.place for note in heard.notes for because in note.because] == [""]
