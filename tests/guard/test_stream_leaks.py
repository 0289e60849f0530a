"""The leak property on bytes: of what is stopped or changed nothing leaves, whatever the format,
whatever kind of text it stands in, and wherever the bytes are cut."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from guard_samples import Records, guard_in
from hypothesis import given, settings
from hypothesis import strategies as st
from leak_samples import (
    CALLED,
    CLEAN,
    FORMATS,
    JUDGE,
    JUDGED,
    RULES,
    SHAPES,
    Block,
    Signs,
    Told,
    blocks,
    comparable,
    parts_in,
    signs_in,
    unescaped,
)

from guardrails.audit.record import delivery_fault
from guardrails.critic.protocol import CriticFinding, Critique, CritiqueRequest, Unit
from guardrails.exchange import Part
from guardrails.guard import Guard
from guardrails.guard.streamed_body import StreamedBody
from guardrails.pipeline import tiers
from guardrails.pipeline.holdback import FIRST_POINT
from guardrails.testing import scripted_critic
from guardrails.verdict import Decision, Stage, Verdict

FEW = settings(max_examples=10)
MANY = settings(max_examples=1_000)
CUTS = st.lists(st.integers(0, 1 << 16), max_size=12)
EVERY_BYTE = range(1 << 14)


@dataclass(frozen=True)
class Left:
    """What left of a stream, and what was decided about it."""

    data: bytes
    """Without what stands in the place of a reply that was stopped."""
    decision: Decision
    calls: tuple[Decision, ...]

    @property
    def told(self) -> tuple[Any, ...]:
        decisions = (*self.calls, self.decision)
        found = [
            sorted((f.principle, f.value, f.action, str(f.part), str(f.span)) for f in d.findings)
            for d in decisions
        ]
        verdicts = [(str(d.verdict), d.released_before_breach) for d in decisions]
        return self.data, verdicts, found


async def passed(
    guard: Guard, told: Told, data: bytes, cuts: Sequence[int], *, judges_calls: bool
) -> Left:
    bounds = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    if cuts is EVERY_BYTE:
        bounds = list(range(len(data) + 1))
    async with guard.call() as call:
        reply = await call.reply(judges_calls=judges_calls)
        body = StreamedBody(reply, told.reader(), most_held=1 << 22)
        left = b"".join([await body.feed(data[a:b]) for a, b in pairwise(bounds)])
        left += await body.close()
        decision = reply.decision
        assert decision is not None
        assert body.is_over
        assert reply.stopped is not decision.delivers
        if reply.stopped:
            assert b"No." in body.ending(status=None)
        await reply.close()
    return Left(left, decision, tuple(reply.calls))


def leaves_as_it_came(left: Left, made: Made, told: Told) -> None:
    if told.bare is None:
        assert left.data == made_of(made, told)
    else:
        assert events_in(left.data) == events_in(told.left(texts_of(made), made[1]))


def events_in(data: bytes) -> list[object]:
    """The lines of a stream, however their JSON is written, without log-probabilities: some that
    come late agree with another text by chance."""

    def bare(fields: dict[str, object]) -> dict[str, object]:
        return {key: held for key, held in fields.items() if key != "logprobs"}

    return [
        json.loads(line[6:], object_hook=bare) if line.startswith(b"data: {") else line
        for line in data.splitlines()
    ]


async def of_whole(guard: Guard, told: Told, data: bytes) -> Decision:
    """What the same body comes to where nothing of it leaves before its end."""
    async with guard.call() as call:
        return await call.check(told.whole(data), stage=Stage.OUTPUT)


def found_in(decision: Decision, parts: Sequence[Part]) -> list[tuple[str, str, str, str]]:
    """The findings, told by the words that were found."""
    return sorted(
        (f.principle, f.value, f.action, parts[f.part].text[slice(*f.span)])
        for f in decision.findings
        if f.part is not None and f.span is not None
    )


def verify(records: Records) -> None:
    """Each record was closed, as what was decided."""
    closed = {record.record_id: record for record in records.closed}
    assert len(closed) == len(records.opened) == len(records.closed)
    for opened in records.opened:
        assert delivery_fault(opened, closed[opened.record_id]) is None
    records.opened.clear()
    records.closed.clear()


def hidden_in(decision: Decision, parts: Sequence[Part]) -> set[str]:
    """The signs of what is stopped or changed."""
    found = found_in(decision, parts)
    return set().union(*(signs_in(text) for *_, action, text in found if action != "flag"))


def said_in(told: Told, data: bytes) -> set[str]:
    """All the signs in what left: as its bytes have them, and as its pieces add up."""
    joined = "".join(part.text for part in parts_in(told.reader(), data))
    return signs_in(unescaped(data.decode())) | signs_in(joined)


Made = tuple[list[Block], int]


def texts_of(made: Made) -> list[tuple[str, str]]:
    signs = Signs()
    return [(kind, signs.text(shapes)) for kind, shapes in made[0]]


def made_of(made: Made, told: Told) -> bytes:
    return told.body(texts_of(made), made[1])


def called_with(made: Made) -> set[str]:
    """The signs that no tool may be called with, where tools are."""
    found = signs_in("".join(text for kind, text in texts_of(made) if kind == "call"))
    return {sign for sign in found if CALLED[0] <= sign <= CALLED[2]}


def finely(data: bytes) -> Sequence[int]:
    """More cuts than there are events, or signs where there are none."""
    return range(0, len(data), 5 if len(data) < 1_000 else 31)


@pytest.fixture(scope="module", autouse=True)
def each_text_by_itself() -> Iterator[None]:
    """Of what crosses the border of two content blocks a stream lets the first half go, so that it
    is held against each text by itself here; `test_stream_borders` holds it to the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiers, "runs", lambda parts: [])
        yield


@pytest.fixture(scope="module")
def records() -> Records:
    return Records()


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory, records: Records) -> Guard:
    return guard_in(tmp_path_factory.mktemp("leaks"), RULES, trail=records)


@pytest.fixture(params=FORMATS.values(), ids=FORMATS, scope="module")
def told(request: pytest.FixtureRequest) -> Told:
    found: Told = request.param
    return found


async def holds(
    guard: Guard, records: Records, told: Told, made: Made, cuts: Sequence[int], calls: bool
) -> None:
    data = made_of(made, told)
    parts = parts_in(told.reader(), data)
    left = await passed(guard, told, data, [], judges_calls=calls)
    for others in (cuts, finely(data)):
        assert (await passed(guard, told, data, others, judges_calls=calls)).told == left.told
    verify(records)
    if not data:
        return  # a whole body of no bytes is nothing that a pointer leads into

    bare = told.left(texts_of(made), made[1])
    whole = await of_whole(guard, told, bare)
    records.opened.clear()
    records.closed.clear()
    hidden = hidden_in(whole, told.whole(bare).parts)
    assert not hidden & said_in(told, left.data)
    assert not left.decision.released_before_breach
    called = called_with(made) if calls else set()
    assert not called & said_in(told, left.data)
    if calls and left.decision.delivers:
        assert len(left.calls) == sum(kind == "call" for kind, _ in made[0])
    blocks = [finding for finding in whole.findings if finding.action == "block"]
    if any(finding.span is not None for finding in blocks):
        assert not left.decision.delivers
    elif blocks and left.decision.delivers:
        # It came about by the changes, and a stream may say a sentence again that parts it there.
        again = await of_whole(guard, told, left.data)
        records.opened.clear()
        records.closed.clear()
        assert all(finding.action != "block" for finding in again.findings)
    if whole.delivers and not calls:
        assert left.decision.delivers
    if whole.delivers and left.decision.delivers:
        assert left.decision.verdict == whole.verdict
        assert found_in(left.decision, parts) == found_in(whole, told.whole(bare).parts)
        if not called:
            is_whole = comparable(whole.content.parts)  # type: ignore[attr-defined]
            assert comparable(parts_in(told.reader(), left.data)) == is_whole
    if whole.verdict <= Verdict.FLAG and not called:
        assert left.decision.delivers
        leaves_as_it_came(left, made, told)


async def is_clean(guard: Guard, records: Records, told: Told, made: Made, cuts: Any) -> None:
    data = made_of(made, told)
    left = await passed(guard, told, data, cuts, judges_calls=True)
    leaves_as_it_came(left, made, told)
    assert left.decision.verdict <= Verdict.FLAG
    verify(records)


def replies(told: Told, shapes: Sequence[str] = tuple(SHAPES)) -> st.SearchStrategy[Made]:
    return st.tuples(blocks(told.kinds, shapes, 8), st.integers(1, 6))


@FEW
@given(data=st.data())
async def test_promise_4_nothing_that_is_stopped_or_changed_leaves(
    data: st.DataObject, guard: Guard, records: Records, told: Told
) -> None:
    made, cuts, calls = data.draw(st.tuples(replies(told), CUTS, st.booleans()))
    await holds(guard, records, told, made, cuts, calls)


@pytest.mark.proof
@pytest.mark.timeout(3_000)
@MANY
@given(data=st.data())
async def test_promise_4_nothing_that_is_stopped_or_changed_ever_leaves(
    data: st.DataObject, guard: Guard, records: Records, told: Told
) -> None:
    made, cuts, calls = data.draw(st.tuples(replies(told), CUTS, st.booleans()))
    await holds(guard, records, told, made, cuts, calls)


@FEW
@given(data=st.data())
async def test_what_is_clean_leaves_as_it_came(
    data: st.DataObject, guard: Guard, records: Records, told: Told
) -> None:
    made, cuts = data.draw(st.tuples(replies(told, CLEAN), CUTS))
    await is_clean(guard, records, told, made, cuts)


MOST_BESIDE = 200
"""Characters that are judged beside a text, such as what it cites."""

MENDED_AT_EACH_POINT: list[Block] = [
    ("text", ("revise far apart", "filler", "filler")),
    ("text", ("long", "revise far apart", "revise far apart", *["filler"] * 7)),
    ("text", ("revise far apart", "filler", "filler", "filler")),
]
THE_SAME_AGAIN: list[Block] = [
    ("text", ("filler", "revise far apart", "filler", "revise far apart")),
]
"""Two pieces that are the same once a sentence of each is replaced."""

KNOWN: list[tuple[str, list[Block]]] = [
    ("anthropic", [("thinking", ("redact", "line"))]),  # nothing of the reply is left
    ("anthropic", [("thinking", ("redact",)), ("thinking", ())]),
    ("anthropic", [("text", ("block by a change", "one to redact", "block over sentences"))]),
    ("responses", [("text", ("redact",))]),
    ("responses", [("thinking", ("redact", "word")), ("text", ("word",))]),
    ("responses", [("call", ()), ("thinking", ("redact",)), ("refusal", ("word",))]),
    ("text", [("text", ("revise", "block by a change", "revise", "end of block"))]),
    ("chat", [("text", ("begin of revise", "more to redact", "end of revise", "flag"))]),
    ("responses, with log-probabilities", [("text", ("redact",))]),
    (
        "chat, with late log-probabilities",
        [("text", ("called", "redact")), ("refusal", ("unseen",))],
    ),
    ("responses, with late log-probabilities", [("text", ("called", "redact", *["question"] * 2))]),
]
"""What once left otherwise, by how its bytes were cut, or in events that no SDK could place."""


@pytest.mark.parametrize(("name", "known"), KNOWN)
async def test_what_leaves_nothing_or_not_all_of_a_reply(
    name: str, known: list[Block], guard: Guard, records: Records
) -> None:
    """Byte by byte, too."""
    for size in (1, 2, 6):
        await holds(guard, records, FORMATS[name], (known, size), EVERY_BYTE, calls=False)


@pytest.mark.parametrize("first", ["text", "thinking", None])
@pytest.mark.parametrize("name", [name for name, told in FORMATS.items() if "call" in told.kinds])
async def test_a_call_that_is_stopped_is_not_begun(
    name: str, first: str | None, guard: Guard, records: Records
) -> None:
    """Its name and its arguments are judged apart; the one may not leave for the other's sake."""
    before: list[Block] = [] if first is None else [(first, ("sentence", "word"))]
    data = made_of(([*before, ("call", ("block",))], 3), FORMATS[name])
    assert b'"look"' in data
    for cuts in ([], finely(data), EVERY_BYTE):
        left = await passed(guard, FORMATS[name], data, cuts, judges_calls=False)
        assert not left.decision.delivers
        assert b"look" not in left.data
    verify(records)


# -- with a judge ----------------------------------------------------------------------------------


def strict(request: CritiqueRequest) -> Critique:
    """A judge that takes a sign amiss once it sees two of them: both, then."""
    places = [
        (target.part, at)
        for target in request.targets
        for at, sign in enumerate(target.text)
        if JUDGED[0] <= sign <= JUDGED[2]
    ]
    found = places if len(places) > 1 else ()
    findings = tuple(
        CriticFinding(principle="wide.judged", value="breach", part=part, span=(at, at + 1))
        for part, at in found
    )
    verdict = "breach" if findings else "pass"
    return Critique(
        looked=frozenset(request.asked),
        verdicts=dict.fromkeys(request.asked, verdict),  # type: ignore[arg-type]
        findings=findings,
    )


def stops_in(made: Made) -> int:
    """At how many places a judge may be asked: at each point, and at the end."""
    said = texts_of(made)
    lengths = (6 * len(text) if kind == "call" else len(text) for kind, text in said)
    reached = sum(lengths) + MOST_BESIDE * len(said)
    return 1 + sum(FIRST_POINT << doubled <= reached for doubled in range(20))


async def holds_with_a_judge(folder: Path, told: Told, made: Made, cuts: Sequence[int]) -> None:
    data = made_of(made, told)
    before = signs_in("".join(part.text for part in parts_in(told.reader(), data)))
    judged = sorted(sign for sign in before if JUDGED[0] <= sign <= JUDGED[2])
    seen = []
    for places in ([], cuts, range(0, 1 << 16, 97)):
        records = Records()
        judge = scripted_critic(strict, need=Unit("sentence"))
        guard = guard_in(folder, RULES + JUDGE, critics=[judge], trail=records)
        left = await passed(guard, told, data, places, judges_calls=False)
        asked = [[target.text for target in request.targets] for request in judge.asked]
        verify(records)
        seen.append((left.told, asked))
    assert seen[0] == seen[1] == seen[2]

    assert len(asked) <= 2 * stops_in(made)  # what was changed there is asked about again
    if not data:
        return
    bare = told.left(texts_of(made), made[1])
    whole = await of_whole(guard, told, bare)
    others = [f for f in whole.findings if f.principle != "wide.judged"]
    of_others = replace(whole, findings=tuple(others))
    assert not hidden_in(of_others, told.whole(bare).parts) & said_in(told, left.data)
    gone = set(judged) & said_in(told, left.data)
    assert len(gone) <= 1  # one by itself is nothing, and may be gone before the next one comes
    if gone and any(f.principle == "wide.judged" for f in left.decision.findings):
        assert left.decision.released_before_breach
    if len(judged) < 2:
        assert not left.decision.released_before_breach
    if whole.verdict <= Verdict.FLAG:
        leaves_as_it_came(left, made, told)
        assert left.decision.verdict == whole.verdict
    elif left.decision.delivers and whole.delivers:
        assert comparable(parts_in(told.reader(), left.data)) == comparable(whole.content.parts)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FORMATS)
async def test_a_judge_is_asked_ever_more_seldom(name: str, tmp_path: Path) -> None:
    judge = scripted_critic(strict, need=Unit("sentence"))
    guard = guard_in(tmp_path, RULES + JUDGE, critics=[judge])
    made: Made = ([("text", ("filler",) * 100)], 5)
    data = made_of(made, FORMATS[name])
    left = await passed(guard, FORMATS[name], data, finely(data), judges_calls=False)
    leaves_as_it_came(left, made, FORMATS[name])
    assert len(judge.asked) <= 7


def long_replies(told: Told) -> st.SearchStrategy[Made]:
    shapes = [*SHAPES, *["wicked"] * 6, *["filler"] * 30]
    return st.tuples(blocks(told.kinds, shapes, 12), st.integers(2, 9))


@settings(max_examples=4)
@given(data=st.data())
async def test_promise_4_a_judge_is_asked_the_same_of_all_bytes(
    data: st.DataObject, told: Told, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made, cuts = data.draw(st.tuples(long_replies(told), CUTS))
    await holds_with_a_judge(tmp_path_factory.mktemp("judged"), told, made, cuts)


@pytest.mark.parametrize("blocks", [MENDED_AT_EACH_POINT, THE_SAME_AGAIN])
async def test_a_judge_is_asked_again_of_what_was_changed_at_each_point(
    blocks: list[Block], tmp_path: Path
) -> None:
    await holds_with_a_judge(tmp_path, FORMATS["text"], (blocks, 2), [])


@pytest.mark.proof
@pytest.mark.timeout(3_000)
@settings(max_examples=200)
@given(data=st.data())
async def test_promise_4_a_judge_is_ever_asked_the_same_of_all_bytes(
    data: st.DataObject, told: Told, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made, cuts = data.draw(st.tuples(long_replies(told), CUTS))
    await holds_with_a_judge(tmp_path_factory.mktemp("judged"), told, made, cuts)
