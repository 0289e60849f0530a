"""Replies with things to find in them, told as streams of every format. Each sign of what may be
found stands once in a reply, so that where it went can be told from the sign alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, zip_longest
from typing import Any

from hypothesis import strategies as st

from guardrails.exchange import Part
from guardrails.pipeline.so_far import Entry, Head
from guardrails.testing.provider.anthropic import Messages
from guardrails.testing.provider.chat import Chat
from guardrails.testing.provider.responses import Responses
from guardrails.wire.body import Body, OpaqueBody
from guardrails.wire.formats import Named, format_of
from guardrails.wire.payload import EVENTS, LINES, PLAIN, Payload
from guardrails.wire.sse import Event, write_events
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.streams.model import StreamReader

Json = dict[str, Any]

# Ranges of signs; a rule finds signs of one range, or of one and then of another.
B1, B2 = "\u4e00-\u4eff", "\u4f00-\u4fff"
R = "\u5200-\u53ff"
V1, V2 = "\u5400-\u54ff", "\u5500-\u55ff"
F = "\u5800-\u59ff"
CALLED = "\u5b00-\u5bff"
"""What no tool may be called with."""
JUDGED = "\u5a00-\u5aff"
"""What the scripted judge takes amiss."""

UNSEEN = "\u200b\u2060\ufeff" * 40

INSTEAD = "Please ask a person."

RULES = f"""schema: 1
id: leaks
version: 1.0.0
budget: {{max_chars: 60000, max_calls: 200, max_tokens: 10000000}}
replies: {{blocked: "No.", unavailable: Away.}}
principles:
  - id: wide.block
    text: a
    stages: [output, tool_call]
    action: block
    critics: [pattern: {{breach: ['[{B1}][-. \\n。]+[{B2}]{{2}}']}}]
  - id: wide.redact
    text: b
    stages: [output, tool_call]
    action: redact
    critics: [pattern: {{breach: ['[{R}]{{3,5}}']}}]
  - id: wide.revise
    text: c
    stages: [output, tool_call]
    action: revise
    critics: [pattern: {{breach: ['[{V1}] [{V2}]']}}]
    remedy: {{replace_sentence: "{INSTEAD} "}}
  - id: wide.flag
    text: d
    stages: [output, tool_call]
    action: flag
    critics: [pattern: {{breach: ['[{F}]{{2}}']}}]
  - id: wide.called
    text: f
    stages: [tool_call]
    action: redact
    critics: [pattern: {{breach: ['[{CALLED}]']}}]
"""
JUDGE = """
  - {id: wide.judged, text: e, action: block, on_undecided: block, critics: [judge]}
"""

SHAPES: dict[str, tuple[str, ...]] = {
    "block": (B1, " -- ", B2, B2, ". "),
    "block over sentences": (B1, ". ", B2, B2, " "),
    "block by a change": (B1, " ", R, R, R, ". ", B2, B2, " "),
    "called": (CALLED, " "),
    "begin of block": (B1, " "),
    "begin of block, sentence": (B1, ". "),
    "end of block": (B2, B2, " "),
    "half an end of block": (B2, " "),
    "redact": (R, R, R, " "),
    "more to redact": (R, R, R, R),
    "too little to redact": (R, R, " "),
    "one to redact": (R,),
    "revise": (V1, " ", V2, ". "),
    "begin of revise": (V1, " "),
    "end of revise": (V2, " "),
    "flag": (F, F, " "),
    "half a flag": (F,),
    "sentence": ("A plain sentence. ",),
    "question": ("Another one, that is a little longer than the first! ",),
    "word": ("word ",),
    "quote": ('"\\u005c" é🎉 ',),
    "line": ("\n",),
    "stop": (". ",),
    "wide stop": ("。",),
    "long": ("x" * 120 + " ",),
    "block far apart": (B1, ". ", UNSEEN, B2, UNSEEN, B2, " "),
    "revise far apart": (V1, UNSEEN, " ", UNSEEN, V2, ". "),
    "redact far apart": (R, R, UNSEEN, R, " "),
    "unseen": (UNSEEN,),
    "accents": ("\u0301" * 9,),
}
CLEAN = (
    *("sentence", "question", "word", "quote", "line", "stop", "wide stop", "long", "flag"),
    *("unseen", "accents"),
)
FILLER = {"filler": ("Filler, for length. " * 9,), "wicked": (JUDGED, ". ")}


class Signs:
    """Texts from shapes, with no sign twice."""

    def __init__(self) -> None:
        self._next: dict[str, Iterator[int]] = {}

    def text(self, shapes: Sequence[str]) -> str:
        return "".join(map(self._said, chain.from_iterable((SHAPES | FILLER)[s] for s in shapes)))

    def _said(self, piece: str) -> str:
        if len(piece) != 3 or piece[1] != "-" or not piece[0] > "\u4000":
            return piece
        numbers = self._next.setdefault(piece, count(ord(piece[0])))
        return chr(min(next(numbers), ord(piece[2])))


def signs_in(text: str) -> set[str]:
    return set(re.findall("[\u4e00-\u5bff]", text))


def unescaped(data: str) -> str:
    """What is written, with what is written as numbers in it."""
    found = re.findall(r'"bytes":\s*\[([0-9, ]+)\]', data)
    raw = bytes(int(one) for numbers in found for one in numbers.split(","))
    return _unescaped(data) + raw.decode("utf-8", "replace")


def _unescaped(data: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), data)


Block = tuple[str, tuple[str, ...]]
"""The kind of a block, and the shapes of its text."""


def blocks(
    kinds: Sequence[str], shapes: Sequence[str], most: int
) -> st.SearchStrategy[list[Block]]:
    text = st.lists(st.sampled_from(shapes), max_size=most).map(tuple)
    return st.lists(st.tuples(st.sampled_from(kinds), text), min_size=1, max_size=4)


# -- streams of each format ------------------------------------------------------------------------


def arguments(text: str, *, is_ascii: bool) -> str:
    return json.dumps({"note": text, "more": ["fine", len(text)]}, ensure_ascii=is_ascii)


def data_of(frame: bytes) -> Json:
    found: Json = json.loads(frame.partition(b"data: ")[2])
    return found


def event(data: Json, *, named: bool = True) -> bytes:
    return write_events([Event(data["type"] if named else "", json.dumps(data))])


def anthropic(made: Sequence[tuple[str, str]], size: int) -> bytes:
    content: list[Json] = []
    cited: dict[int, str] = {}
    for at, (kind, text) in enumerate(made):
        match kind:
            case "thinking":
                content.append({"type": "thinking", "thinking": text, "signature": "c2ln"})
            case "call":
                given = {"note": text, "more": ["fine", len(text)]}
                content.append({"type": "tool_use", "id": f"t{at}", "name": "look", "input": given})
            case _:
                content.append({"type": "text", "text": text})
                if kind == "cited":
                    cited[at] = text[-40:]
    whole = {
        "id": "m", "type": "message", "role": "assistant", "model": "x", "content": content,
        "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    told = []
    for frame in Messages().frames(whole, {}, size):
        data = data_of(frame.data)
        at = data.get("index", -1)
        if data["type"] == "content_block_stop" and at in cited:
            citation = {
                "type": "page_location", "cited_text": "As the page says.", "document_index": 0,
                "document_title": "Page", "start_page_number": 1, "end_page_number": 2,
                "file_id": None,
            }  # fmt: skip
            delta = {"type": "citations_delta", "citation": citation}
            told.append(event({"type": "content_block_delta", "index": at, "delta": delta}))
        told.append(frame.data)
    return b"".join(told)


def chat(made: Sequence[tuple[str, str]], size: int, choices: int = 1) -> bytes:
    said: list[Json] = []
    for number in range(choices):
        mine = made[number::choices]
        texts = [text for kind, text in mine if kind in ("text", "cited", "thinking")]
        refusals = [text for kind, text in mine if kind == "refusal"]
        message: Json = {"role": "assistant", "content": "".join(texts) if texts else None}
        message["refusal"] = "".join(refusals) if refusals else None
        if any(kind == "cited" for kind, _ in mine):
            cited = {"url": "https://a.example", "title": "Page", "start_index": 0, "end_index": 1}
            message["annotations"] = [{"type": "url_citation", "url_citation": cited}]
        calls = [
            {"id": f"c{number}{at}", "type": "function",
             "function": {"name": "look", "arguments": arguments(text, is_ascii=at % 2 == 0)}}
            for at, (kind, text) in enumerate(mine) if kind == "call"
        ]  # fmt: skip
        if calls:
            message["tool_calls"] = calls
        said.append({"index": number, "message": message, "finish_reason": "stop"})
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "x"}
    runs = [[f.data for f in Chat().frames({**head, "choices": [one]}, {}, size)] for one in said]
    turns = chain.from_iterable(zip_longest(*runs, fillvalue=b""))
    return b"".join(turns) + Chat().end


def two_choices(made: Sequence[tuple[str, str]], size: int) -> bytes:
    return chat(made, size, choices=2)


def responses(made: Sequence[tuple[str, str]], size: int) -> bytes:
    output: list[Json] = []
    for at, (kind, text) in enumerate(made):
        match kind:
            case "thinking":
                summary = [{"type": "summary_text", "text": text}]
                output.append({"id": f"r{at}", "type": "reasoning", "summary": summary})
            case "call":
                given = arguments(text, is_ascii=at % 2 == 0)
                output.append(
                    {"id": f"f{at}", "type": "function_call", "status": "completed",
                     "call_id": f"c{at}", "name": "look", "arguments": given}
                )  # fmt: skip
            case _:
                part: Json = {"type": "refusal", "refusal": text}
                if kind != "refusal":
                    cited = {
                        "type": "url_citation", "url": "https://a.example", "title": "Page",
                        "start_index": 0, "end_index": 1,
                    }  # fmt: skip
                    notes = [cited] if kind == "cited" else []
                    part = {
                        "type": "output_text", "text": text, "annotations": notes, "logprobs": [],
                    }  # fmt: skip
                last = output[-1] if output else {}
                if last.get("type") != "message" or len(last["content"]) > 1:
                    output.append(
                        {"id": f"m{at}", "type": "message", "status": "completed",
                         "role": "assistant", "content": []}
                    )  # fmt: skip
                output[-1]["content"].append(part)
    whole = {
        "id": "r", "object": "response", "created_at": 1, "status": "completed", "error": None,
        "model": "x", "output": output, "usage": None, "incomplete_details": None,
    }  # fmt: skip
    told = []
    for frame in Responses().frames(whole, {}, size):
        data = data_of(frame.data)
        notes = data.get("part", {}).get("annotations")
        if data["type"] == "response.content_part.added" and notes:
            data["part"]["annotations"] = []
            told.append(event(data))
            continue
        if data["type"] == "response.content_part.done" and notes:
            place = {k: data[k] for k in ("item_id", "output_index", "content_index")}
            kind = "response.output_text.annotation.added"
            told.append(
                event({"type": kind, **place, "annotation_index": 0, "annotation": notes[0]})
            )
        told.append(frame.data)
    return b"".join(told)


def tokens(text: str, size: int) -> list[Json]:
    """The text again as log-probabilities tell it; a character may be cut over two tokens."""
    data = text.encode()
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    return [
        {"token": piece.decode("utf-8", "replace"), "logprob": -0.5, "bytes": list(piece),
         "top_logprobs": [{"token": " other", "logprob": -2.5, "bytes": None}]}
        for piece in cut
    ]  # fmt: skip


def probable(tell: Any, late: int) -> Any:
    """Streams with log-probabilities, each `late` events behind the text that they are of."""

    def told(made: Sequence[tuple[str, str]], size: int) -> bytes:
        frames = [frame + b"\n\n" for frame in tell(made, size).split(b"\n\n") if frame]
        waiting: list[tuple[Any, ...]] = []
        for at, frame in enumerate(frames):
            if b"DONE" in frame:
                continue
            data = data_of(frame)
            for where, place, names in _texts_in(data):
                waiting.append((place, [(name, tokens(text, 3)) for name, text in names]))
                if len(waiting) > late and (late == 0 or waiting[0][0] == place):
                    _, found = waiting.pop(0)
                    where["logprobs"] = found[0][1] if place[0] is None else dict(found)
                    frames[at] = event(data, named="type" in data)
        return b"".join(frames)

    return told


def _texts_in(data: Json) -> Iterator[tuple[Json, tuple[Any, ...], list[tuple[str, str]]]]:
    for choice in data.get("choices") or ():
        delta = choice.get("delta") or {}
        said = [(n, delta[n]) for n in ("content", "refusal") if delta.get(n)]
        if said:
            yield choice, (choice["index"],), said
    if data.get("type") in ("response.output_text.delta", "response.output_text.done"):
        place = (None, data["output_index"], data["content_index"], data["type"])
        text = data.get("delta") or data.get("text") or ""
        yield data, place, [("text", text)]
    if data.get("type") == "response.content_part.done" and "text" in data["part"]:
        place = (None, data["output_index"], data["content_index"], "part")
        yield data["part"], place, [("text", data["part"]["text"])]


def sliced(made: Sequence[tuple[str, str]], size: int) -> list[str]:
    text = "".join(text for _, text in made)
    return [text[at : at + 3 * size] for at in range(0, len(text), 3 * size)]


def plain(made: Sequence[tuple[str, str]], size: int) -> bytes:
    return "".join(sliced(made, size)).encode()


def text_events(made: Sequence[tuple[str, str]], size: int) -> bytes:
    return write_events([*(Event("", piece) for piece in sliced(made, size)), Event("", "[DONE]")])


def lines(made: Sequence[tuple[str, str]], size: int) -> bytes:
    told = ({"delta": piece} for piece in sliced(made, size))
    return b"".join(json.dumps(one, ensure_ascii=size % 2 == 0).encode() + b"\n" for one in told)


def own_events(made: Sequence[tuple[str, str]], size: int) -> bytes:
    """As FastAPI and sse-starlette have them, with a field that nobody named."""
    told = (
        json.dumps({"token": s, "id": "m"}, ensure_ascii=size % 2 > 0) for s in sliced(made, size)
    )
    return write_events([*(Event("", data) for data in told), Event("", "[DONE]")])


def kinds_of_events(made: Sequence[tuple[str, str]], size: int) -> bytes:
    """Two texts that come between one another, one of which is said again at the end."""
    runs = []
    for kind, type in (("text", "token"), ("thinking", "thought")):
        pieces = sliced([one for one in made if one[0] == kind], size)
        runs.append([{"type": type, "data": {"text": [piece]}} for piece in pieces])
    told = [one for one in chain.from_iterable(zip_longest(*runs)) if one is not None]
    whole = "".join(text for kind, text in made if kind == "text")
    told = [{"type": "begin"}, *told, {"type": "final", "text": whole, "usage": {"tokens": 3}}]
    return write_events(Event("", json.dumps(one)) for one in told)


KINDS_OF_EVENTS = {
    "by": "/type",
    "delta": {"token": "/data/text/0", "thought": "/data/text/0", "begin": []},
    "whole": {"final": "/text"},
    "stop": {"text": "/error/message", "data": {"type": "stopped"}},
}


@dataclass(frozen=True)
class Told:
    """A format, and how a reply is told in it."""

    format: Named
    media_type: str
    tell: Any
    kinds: tuple[str, ...] = ("text",)
    asked: Json = field(default_factory=dict)
    bare: Any = None
    """How it is told without what is left out of it: log-probabilities that come too late."""

    def body(self, made: Sequence[tuple[str, str]], size: int) -> bytes:
        data: bytes = self.tell(made, size)
        return data

    def left(self, made: Sequence[tuple[str, str]], size: int) -> bytes:
        """What of it leaves where all is clean."""
        data: bytes = (self.bare or self.tell)(made, size)
        return data

    def reader(self) -> StreamReader:
        payload = Payload(data=b"", media_type=self.media_type)
        made = stream_reader(format_of(self.format), payload, self.request())
        assert made is not None
        return made

    def whole(self, data: bytes) -> Body:
        payload = Payload(data=data, media_type=self.media_type)
        return format_of(self.format).response(payload, self.request() or NOBODY)

    def request(self) -> Body | None:
        if not self.asked:
            return None
        return format_of(self.format).request(Payload(data=json.dumps(self.asked).encode()))


NOBODY = OpaqueBody(b"", "user", "")
PROBABLE: Json = {"messages": [], "input": [], "n": 2, "top_logprobs": 1}
ALL = ("text", "cited", "thinking", "call")
NDJSON = next(iter(LINES))
FORMATS = {
    "anthropic": Told("anthropic", EVENTS, anthropic, ALL),
    "chat": Told("openai-chat", EVENTS, chat, (*ALL, "refusal")),
    "chat, two choices": Told("openai-chat", EVENTS, two_choices, (*ALL, "refusal")),
    "responses": Told("openai-responses", EVENTS, responses, (*ALL, "refusal")),
    "chat, with log-probabilities": Told(
        "openai-chat", EVENTS, probable(two_choices, 0), (*ALL, "refusal"), PROBABLE
    ),
    "chat, with late log-probabilities": Told(
        "openai-chat", EVENTS, probable(chat, 12), (*ALL, "refusal"), PROBABLE, bare=chat
    ),
    "responses, with log-probabilities": Told(
        "openai-responses", EVENTS, probable(responses, 0), (*ALL, "refusal"), PROBABLE
    ),
    "responses, with late log-probabilities": Told(
        "openai-responses",
        EVENTS,
        probable(responses, 12),
        (*ALL, "refusal"),
        PROBABLE,
        bare=responses,
    ),
    "text": Told("text", PLAIN, plain),
    "text events": Told("text", EVENTS, text_events),
    "ndjson by a pointer": Told("ndjson: /delta", NDJSON, lines),
    "sse by a pointer": Told("sse: /token", EVENTS, own_events),
    "sse of several kinds": Told(
        {"sse": KINDS_OF_EVENTS}, EVENTS, kinds_of_events, ("text", "thinking")
    ),
    "auto, anthropic": Told("auto", EVENTS, anthropic, ALL),
    "auto, chat": Told("auto", EVENTS, two_choices, (*ALL, "refusal")),
    "auto, responses": Told("auto", EVENTS, responses, (*ALL, "refusal")),
    "auto, text": Told("auto", PLAIN, plain),
}


# -- what a stream says ----------------------------------------------------------------------------


SAID = "\0said"
"""Where a whole body keeps what its events say beside the reply: a stream tells it elsewhere."""


def parts_in(reader: StreamReader, data: bytes) -> list[Part]:
    """The texts of a stream, in the order in which their findings are counted."""
    heads: list[Head] = []
    texts: list[str] = []
    for one in (*reader.feed(data), *reader.close()):
        for head in one.opens:
            part = Part(text="", role=head.role, kind=head.kind, name=head.name, path=head.path)
            heads.append(Head(part=part, is_json=head.json))
            texts.append("")
        for said in one.says:
            texts[said.part] += "" if said.repeats else said.text
    made = zip(heads, texts, strict=True)
    return [part for n, (head, text) in enumerate(made) for part in Entry.of(n, head, text).parts]


def comparable(parts: Sequence[Part]) -> list[tuple[str, str, str]]:
    """Without their order, and without what stands in the place of sentences: it keeps its blanks,
    and a stream may say it again where a whole text does not. What is cited goes with a text that
    is changed, but for what a stream said before it."""
    said = (p for p in parts if p.text != SAID and SAID not in p.path and p.kind != "document")
    texts = ((part, part.text.replace(INSTEAD, "")) for part in said)
    found = ((part.role, part.kind, " ".join(text.split())) for part, text in texts)
    return sorted(one for one in found if one[2])
