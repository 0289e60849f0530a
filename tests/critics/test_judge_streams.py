"""The judge and the reviser at work on a reply while it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from judge_samples import INSULT, constitution, house, principle, quoting

from guardrails.audit.record import delivery_fault
from guardrails.testing.provider import api_error
from guardrails.verdict import Verdict

PLAIN = "A plain sentence of some forty characters. "


def pieces(text: str, size: int = 20) -> Iterator[str]:
    return (text[at : at + size] for at in range(0, len(text), size))


def reply_of(characters: int, *, insult_at: int) -> str:
    before = (PLAIN * 500)[: insult_at // len(PLAIN) * len(PLAIN)]
    after = (PLAIN * 500)[: max(0, characters - len(before)) // len(PLAIN) * len(PLAIN)]
    return f"{before}{INSULT} {after}"


@pytest.mark.parametrize("at", [0, 300, 1_000, 5_000])
async def test_what_a_judge_objects_to_is_mended_in_the_stream(at: int) -> None:
    text = reply_of(8_000, insult_at=at)
    made = constitution(principle(action="revise"), max_attempts=1)
    async with house(made=made) as home:
        stream = home.guard.stream(pieces(text), prompt="How am I?")
        given = "".join([piece async for piece in stream])
        asked = len(home.sheets)
    assert INSULT not in given
    assert given.replace(" ", "") == text.replace(INSULT, "").replace(" ", "")
    assert stream.decision.verdict is Verdict.REVISE
    assert not stream.decision.released_before_breach
    (finding,) = [f for f in stream.decision.findings if f.value == "breach"]
    assert finding.span is not None
    assert text[slice(*finding.span)] == INSULT
    assert asked <= 6 + 2  # the points, a revision and the look at it
    (opened,), (closed,) = home.trail.opened, home.trail.closed
    assert delivery_fault(opened, closed) is None
    assert closed.how == "judged"


async def test_a_judge_sees_the_reply_so_far_at_points_each_twice_as_far() -> None:
    text = reply_of(20_000, insult_at=0).replace(INSULT, "")
    async with house() as home:
        stream = home.guard.stream(pieces(text), prompt="How am I?")
        assert "".join([piece async for piece in stream]) == text
        seen = [len(sheet.judged) for sheet in home.sheets]
    assert len(seen) == 7
    assert seen[-1] == len(text.strip()) or seen[-1] == len(text)
    for number, length in enumerate(seen[:-1]):
        assert 400 * 2**number <= length < 400 * 2**number + len(PLAIN) + 1


async def test_the_first_piece_leaves_before_the_last_has_come() -> None:
    came = 0

    async def source() -> AsyncIterator[str]:
        nonlocal came
        for piece in pieces(reply_of(4_000, insult_at=0).replace(INSULT, "")):
            came += len(piece)
            yield piece

    async with house() as home:
        left_at = [came async for _ in home.guard.stream(source())]
    assert left_at[0] < 600


async def test_a_breach_that_reaches_into_what_has_left_ends_the_stream_and_says_so() -> None:
    """A judge may change its mind about words that it passed before."""
    text = reply_of(3_000, insult_at=0)
    calls = 0

    def changes_its_mind(request: object) -> object:
        nonlocal calls
        calls += 1
        return quoting("" if calls == 1 else INSULT)(request)  # type: ignore[arg-type]

    async with house(changes_its_mind) as home:
        stream = home.guard.stream(pieces(text))
        given = "".join([piece async for piece in stream])
    decision = stream.decision
    assert (decision.verdict, decision.released_before_breach) == (Verdict.BLOCK, True)
    assert given.startswith(INSULT)
    assert given.endswith(decision.text)
    assert len(given) < 700
    (opened,), (closed,) = home.trail.opened, home.trail.closed
    assert opened.released_before_breach
    assert (closed.how, delivery_fault(opened, closed)) == ("cut", None)


async def test_an_outage_in_the_middle_ends_the_stream_as_one() -> None:
    text = reply_of(3_000, insult_at=0).replace(INSULT, "")
    answers: Sequence[object] = [quoting(), *[api_error(500)] * 20]
    async with house(answers) as home:
        stream = home.guard.stream(pieces(text))
        given = "".join([piece async for piece in stream])
    assert stream.decision.cause == "outage"
    assert given.endswith("Later, please.")
    assert text.startswith(given.removesuffix("Later, please."))
    assert len(given) > 400


async def test_who_stops_reading_leaves_nothing_running() -> None:
    async with house(latency=None) as home:
        stream = home.guard.stream(pieces(reply_of(3_000, insult_at=0).replace(INSULT, "")))
        assert await anext(stream)
        await stream.aclose()
        await asyncio.sleep(0)
    (closed,) = home.trail.closed
    assert closed.how == "interrupted"
