"""What is cut over two content blocks of a stream is found where all of the reply is held, however
the bytes come; where it leaves in pieces, each block is judged by itself."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from guard_samples import guard_in
from leak_samples import FORMATS

from guardrails.guard.streamed_body import StreamedBody
from guardrails.verdict import Decision

HOUSE = """schema: 1
id: house
version: 1.0.0
replies: {{blocked: "No."}}
{head}
principles:
  - {{id: house.forbidden, text: a, action: block,
     critics: [pattern: {{breach: ['keep it dark']}}]}}
  - {{id: house.secret, text: b, action: redact, critics: [pattern: {{breach: ['swordfish']}}]}}
"""
WHOLE = "stream: {release: whole}"

SIZES = [1, 7, 100_000]


async def streamed(folder: Path, head: str, texts: list[str], size: int) -> tuple[bytes, Decision]:
    told = FORMATS["anthropic"]
    data = told.body([("text", text) for text in texts], 5)
    async with guard_in(folder, HOUSE.format(head=head)) as guard, guard.call() as call:
        reply = await call.reply()
        body = StreamedBody(reply, told.reader(), most_held=1 << 22)
        bounds = [*range(0, len(data), size), len(data)]
        left = b"".join([await body.feed(data[a:b]) for a, b in pairwise(bounds)])
        left += await body.close()
        decision = reply.decision
        await reply.close()
    assert decision is not None
    return left, decision


@pytest.mark.parametrize("size", SIZES)
async def test_promise_4_what_is_held_whole_is_judged_joined(tmp_path: Path, size: int) -> None:
    left, decision = await streamed(tmp_path, WHOLE, ["Well. Keep i", "t dark. So."], size)
    assert decision.breaches == ("house.forbidden",)
    assert b"Keep" not in left
    assert b"dark" not in left


@pytest.mark.parametrize("size", SIZES)
async def test_promise_4_both_pieces_are_taken_out_of_what_is_held(
    tmp_path: Path, size: int
) -> None:
    left, decision = await streamed(tmp_path, WHOLE, ["It is sword", "fish. So."], size)
    assert decision.verdict == "redact"
    assert b"sword" not in left
    assert b"fish" not in left
    assert b"So." in left


@pytest.mark.parametrize("size", SIZES)
async def test_what_leaves_in_pieces_is_judged_block_by_block(tmp_path: Path, size: int) -> None:
    texts = ["Well. Keep i", "t dark. So.", "Keep it dark."]
    left, decision = await streamed(tmp_path, "", texts, size)
    assert [finding.part for finding in decision.findings] == [2]
    assert b"t dark" in left or b"dar" in left
