"""What it costs to read a stream as it comes, by its format: CPU for each event of 20 characters,
beyond parsing its JSON, and how that grows with the length of the stream.

    python -m benchmarks.stream_readers
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Sequence

from guardrails.wire.body import OpaqueBody
from guardrails.wire.formats import NAMES, format_of
from guardrails.wire.payload import EVENTS, Payload
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.strict_json import parse_json

TEXT = "twenty characters ok"
ROUNDS = 7
SHORT, LONG = 1_000, 10_000
"""Events: 20 kB and 200 kB of text."""


def anthropic(events: int) -> list[bytes]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}
    delta = {"type": "text_delta", "text": TEXT}
    more = {"type": "content_block_delta", "index": 0, "delta": delta}
    told = [{"type": "message_start", "message": message}, start, *[more] * events]
    return [b"event: %s\ndata: %s\n\n" % (d["type"].encode(), dumped(d)) for d in told]  # type: ignore[attr-defined]


def chat(events: int) -> list[bytes]:
    choice = {"index": 0, "delta": {"content": TEXT}, "logprobs": None, "finish_reason": None}
    chunk = {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5",
        "service_tier": "default", "system_fingerprint": "fp", "choices": [choice], "usage": None,
        "obfuscation": "x7Gh",
    }  # fmt: skip
    return [b"data: %s\n\n" % dumped(chunk)] * events


def responses(events: int) -> list[bytes]:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
    told = [{"type": "response.output_item.added", "output_index": 0, "item": item}]
    delta = {"type": "response.output_text.delta", **place, "delta": TEXT, "logprobs": []}
    told += [{**delta, "sequence_number": at} for at in range(events)]
    return [b"event: %s\ndata: %s\n\n" % (str(d["type"]).encode(), dumped(d)) for d in told]


def text(events: int) -> list[bytes]:
    return [TEXT.encode()] * events


def text_events(events: int) -> list[bytes]:
    return [b"data: %s\n\n" % TEXT.encode()] * events


def lines(events: int) -> list[bytes]:
    return [b"%s\n" % dumped({"delta": TEXT})] * events


def own_events(events: int) -> list[bytes]:
    return [b"data: %s\n\n" % dumped({"token": TEXT, "id": "msg_1"})] * events


def dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


CASES = {
    "anthropic": ("anthropic", EVENTS, anthropic),
    "openai-chat": ("openai-chat", EVENTS, chat),
    "openai-responses": ("openai-responses", EVENTS, responses),
    "text": ("text", "text/plain", text),
    "text in events": ("text", EVENTS, text_events),
    "sse by a pointer": ("sse: /token", EVENTS, own_events),
    "ndjson by a pointer": ("ndjson: /delta", "application/x-ndjson", lines),
}


def reading_s(format: str, media_type: str, pieces: Sequence[bytes]) -> float:
    """CPU of reading once; what is read must be what was made."""
    payload = Payload(data=b"", media_type=media_type)
    reader = stream_reader(format_of(format), payload, OpaqueBody(b"", "user", ""))
    assert reader is not None
    said = 0
    gc.collect()
    start = time.process_time()
    for piece in pieces:
        for event in reader.feed(piece):
            for one in event.says:
                said += len(one.text)
    took = time.process_time() - start
    assert said >= len(TEXT) * (len(pieces) - 2), "not all of it was read"
    return took


def parsing_s(pieces: Sequence[bytes]) -> float:
    found = [piece.partition(b"data: ")[2] or piece for piece in pieces]
    start = time.process_time()
    for data in found:
        parse_json(data)
    return time.process_time() - start


def measured(name: str) -> dict[str, float]:
    format, media_type, make = CASES[name]
    short, long = make(SHORT), make(LONG)
    of_short = statistics.median(reading_s(format, media_type, short) for _ in range(ROUNDS))
    of_long = statistics.median(reading_s(format, media_type, long) for _ in range(ROUNDS))
    parsing = 0.0
    if not name.startswith("text"):
        parsing = statistics.median(parsing_s(long) for _ in range(ROUNDS))
    return {
        "us_per_event": round(of_long / len(long) * 1e6, 2),
        "us_per_event_beyond_json": round((of_long - parsing) / len(long) * 1e6, 2),
        "cpu_at_10_times_the_length": round(of_long / of_short, 2),
    }


if __name__ == "__main__":
    assert set(NAMES) >= {"anthropic", "openai-chat", "openai-responses", "text", "ndjson"}
    print(json.dumps({name: measured(name) for name in CASES}, indent=2))
