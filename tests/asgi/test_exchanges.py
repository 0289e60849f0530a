"""One table of exchanges through the decorator and the middleware: the decisions are equal. And
random exchanges: what is clean is untouched, what is not never leaves."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asgi_frameworks import FRAMEWORKS
from asgi_house import REPLY, Records, Said, Script, load_house, plain_app
from asgi_providers import PROVIDERS
from asgi_server import Got, ask, serving

from guardrails.asgi import GuardrailMiddleware
from guardrails.decorator import guarded
from guardrails.guard import Guard

JSON = "application/json"
TURNS = {
    "clean": ("Hello there", "Hello, wörld"),
    "odd, both ways": ("oddly asked", "oddly answered"),
    "forbidden, asked": ("a forbidden thing", "never said"),
    "forbidden, answered": ("Hello", "it is forbidden, sorry"),
    "forbidden, in full width": ("Hello", "it is ｆｏｒｂｉｄｄｅｎ"),
    "a secret, asked": ("my secret and yours", "fine"),
    "a secret, answered": ("Hello", "a secret, and a secret"),
    "a promise": ("Hello", "Well. I promise it. So."),
    "a secret in a promise": ("Hello", "Well. I promise a secret. So."),
    "a secret and something forbidden": ("Hello", "the secret is forbidden"),
    "everything": ("oddly secret", "oddly. I promise. A secret."),
    "nothing asked": ("", "fine"),
}


ONLY_A_SECRET = ("Hello", "secret")
"""Nothing is left of it. In a plain dict of nobody's format there are other texts beside it."""


@dataclass(frozen=True)
class Form:
    """How an exchange is written: its request and reply as values, and its text in a reply."""

    format: str
    request: Callable[[str], Any]
    reply: Callable[[str], Any]
    text: Callable[[Any], str]

    def written(self, value: Any) -> bytes:
        return (value if isinstance(value, str) else json.dumps(value)).encode()

    def read(self, body: bytes) -> Any:
        return body.decode() if self.format == "text" else json.loads(body)

    @property
    def media_type(self) -> str:
        return "text/plain; charset=utf-8" if self.format == "text" else JSON


FORMS = {
    "text": Form("text", str, str, str),
    "json": Form(
        "json: /question -> /answer",
        lambda text: {"question": text},
        lambda text: {"answer": text},
        lambda reply: str(reply["answer"]),
    ),
    **{
        name: Form(provider.format, provider.request, provider.reply, provider.text)
        for name, provider in PROVIDERS.items()
    },
}


def decided(records: Records) -> list[Any]:
    """Every decision: its stage, verdict, cause, what was found by whom and where, and how it
    was delivered."""
    ways = {record.record_id: record.how for record in records.closed}
    return [
        (
            str(record.stage),
            str(record.verdict),
            record.cause,
            [(f.principle, f.critic, str(f.action), f.span) for f in record.findings],
            ways[record.record_id],
        )
        for record in records.opened
    ]


@pytest.mark.parametrize(
    ("form", "asked", "said"),
    [
        *(
            pytest.param(form, *turn, id=f"{name}-{what}")
            for name, form in FORMS.items()
            for what, turn in TURNS.items()
        ),
        pytest.param(FORMS["text"], *ONLY_A_SECRET, id="text-only a secret"),
    ],
)
async def test_decorator_and_middleware_decide_alike(
    tmp_path: Path, form: Form, asked: str, said: str
) -> None:
    decorated, wrapped = Records(), Records()
    seen: list[Any] = []

    async def answer(request: Any) -> Any:
        seen.append(request)
        return form.reply(said)

    answer.__annotations__ = {"request": Any, "return": str if form.format == "text" else Any}
    reply_to = None if form.format == "text" else "/answer"
    call = guarded(load_house(tmp_path, decorated), reply_to=reply_to)(answer)
    returned = await call(form.request(asked))

    script = Script(Said(form.written(form.reply(said)), form.media_type))
    app = GuardrailMiddleware(
        plain_app(script), load_house(tmp_path, wrapped), routes={"/*": form.format}
    )
    async with serving(app, lifespan="off") as port:
        got = await ask(port, "/", form.written(form.request(asked)), media_type=form.media_type)
    assert decided(wrapped) == decided(decorated)
    assert wrapped.how() == decorated.how()
    assert [form.read(request.body) for request in script.seen] == seen
    delivered = form.text(form.read(got.body))
    if isinstance(returned, dict) and "answer" in returned:  # its place for a reply is told it
        assert delivered == returned["answer"]
    else:
        assert delivered == form.text(returned)


# -- random exchanges ----------------------------------------------------------------------------

CLEAN_WORDS = (
    "hello", "wörld", "\U0001f389", "你好", "a\tb", "line\nbreak", '"quoted"', "back\\slash",
    "forbid", "den", "secre", "{", "}", "[1]", "data:", "event: x", "é\u0301", "\u2028", "&=?",
)  # fmt: skip
BREACHES = ("forbidden", "FORBIDDEN", "for\u200bbidden", "ｆｏｒｂｉｄｄｅｎ", "forbidden")

CODERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "x-gzip": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
}


class Dice:
    """Everything random of one exchange, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.form = self.random.choice(list(FORMS.values()))
        self.streams = self.form.format in PROVIDERS and self.random.random() < 0.5
        self.breaks = self.random.choice(["", "", "request", "reply"])
        self.coding_in = self.random.choice(list(CODERS))
        self.coding_out = self.random.choice(list(CODERS))

    def text(self, *, breach: bool) -> str:
        words = self.random.choices(CLEAN_WORDS, k=self.random.randint(1, 12))
        if breach:
            words.insert(self.random.randint(0, len(words)), self.random.choice(BREACHES))
        return " ".join(words)

    def cut(self, data: Any, most: int) -> list[Any]:
        """Into pieces of any lengths."""
        at = sorted(self.random.randint(0, len(data)) for _ in range(self.random.randint(0, most)))
        ends = [*at, len(data)]
        return [data[start:end] for start, end in zip([0, *at], ends, strict=True)]

    def written(self, value: Any) -> bytes:
        """As one of the ways to write it: escaped or not, spaced or not."""
        if isinstance(value, str):
            return value.encode()
        written = json.dumps(
            value,
            ensure_ascii=self.random.random() < 0.5,
            indent=self.random.choice([None, 1, "\t"]),
        )
        for letter in "fbd":
            if self.random.random() < 0.3:
                marked = written.replace('"' + letter, f'"\\u{ord(letter):04x}')
                written = marked if json.loads(marked) == value else written
        return written.encode()


async def one(dice: Dice, port: int, script: Script, records: Records) -> None:
    form = dice.form
    asked = form.request(dice.text(breach=dice.breaks == "request"))
    said = dice.text(breach=dice.breaks == "reply")
    if dice.streams:
        asked["stream"] = True
        reply = PROVIDERS[form.format].stream(dice.cut(said, 20))
        media_type = "text/event-stream"
    else:
        reply, media_type = dice.written(form.reply(said)), form.media_type
    reply = CODERS[dice.coding_out](reply)
    coded = {"content-encoding": dice.coding_out} if dice.coding_out else {}
    pieces: bytes | Sequence[bytes] = dice.cut(reply, 6) if dice.random.random() < 0.7 else reply
    script.said, script.seen = Said(pieces, media_type, headers=coded), []
    request = CODERS[dice.coding_in](dice.written(asked))
    sent: bytes | Sequence[bytes] = dice.cut(request, 6) if dice.random.random() < 0.5 else request
    got: Got = await ask(
        port,
        {"text": "/text", "json: /question -> /answer": "/json"}.get(form.format, "/v1/x"),
        sent,
        media_type=form.media_type,
        headers={"content-encoding": dice.coding_in} if dice.coding_in else {},
    )
    assert got.status == 200
    leaves_early = dice.streams or form.format == "text"  # what comes in pieces leaves in pieces
    if dice.breaks:
        assert got.verdict == "block" or (leaves_early and got.verdict == "pending")
        assert REPLY in got.body.decode()
        assert "bidden" not in got.body.decode().lower()
        assert "ｂｉｄｄｅｎ" not in got.body.decode()
        assert len(script.seen) == (dice.breaks == "reply")
    else:
        assert got.verdict == "allow" or (leaves_early and got.verdict == "pending")
        assert got.body == reply
        assert got.headers["content-type"] == media_type
        assert script.seen[0].body == request
    records.how()
    records.forget()


@pytest.mark.parametrize("framework", sorted(FRAMEWORKS))
@pytest.mark.parametrize(
    "times", [60, pytest.param(2_000, marks=[pytest.mark.proof, pytest.mark.timeout(600)])]
)
async def test_random_exchanges_are_untouched_or_never_leave(
    tmp_path: Path, framework: str, times: int
) -> None:
    records, script = Records(), Script()
    guard: Guard = load_house(tmp_path, records)
    app = FRAMEWORKS[framework](script, ["/text", "/json", "/v1/x"])
    routes = {"/text": "text", "/json": "json: /question -> /answer", "/v1/*": "auto"}
    async with serving(GuardrailMiddleware(app, guard, routes=routes)) as port:
        for seed in range(times):
            try:
                async with asyncio.timeout(20):
                    await one(Dice(seed), port, script, records)
            except BaseException as error:
                error.add_note(f"seed {seed}")
                raise
