"""What the SDK reads of a stream that leaves while it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from wrapped_samples import Records, constitution

from guardrails.clients.streaming import StreamedAnswer
from guardrails.guard import Guard
from guardrails.guard.streamed_body import StreamedBody
from guardrails.settings import Settings
from guardrails.wire.own_formats import TEXT
from guardrails.wire.payload import Payload
from guardrails.wire.stream_formats import stream_reader


class Torn:
    """A response whose connection cannot even be closed."""

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        yield b"data: Hello. \n\n"
        yield b"data: There. \n\n"
        raise ConnectionError("reset")

    async def aclose(self) -> None:
        raise OSError("closed already")


async def test_a_response_that_cannot_be_closed_leaves_no_record_open(tmp_path: Path) -> None:
    file = tmp_path / "house.yaml"
    file.write_text(constitution(), encoding="utf-8")
    records = Records()
    guard = Guard.load(file, offline=True, trail=records, settings=Settings(audit="memory"))
    payload = Payload(data=b"", media_type="text/event-stream")
    async with guard.call() as call:
        reader = stream_reader(TEXT, payload, TEXT.request(Payload(data=b"q", media_type=None)))
        assert reader is not None
        body = StreamedBody(await call.reply(), reader, most_held=1_000)
        answer = StreamedAnswer(body=body, on_block="reply", on_decision=None)
        with pytest.raises(OSError, match="closed already"):
            assert [piece async for piece in answer.read(Torn())]
    assert records.how() == [("output", "allow", "interrupted")]
    await guard.aclose()
