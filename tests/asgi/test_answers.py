"""What a client sees in the place of a response, and what it and the log never see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asgi_house import (
    CONSTITUTION,
    REPLY,
    UNAVAILABLE,
    Records,
    Said,
    Script,
    load_house,
    plain_app,
)
from asgi_providers import PROVIDERS
from asgi_server import Got, ask, serving

from guardrails.asgi import GuardrailMiddleware
from guardrails.errors import AuditError, CriticOutage
from guardrails.guard import Guard
from guardrails.testing import scripted_critic
from guardrails.verdict import Verdict

JSON = "application/json"
POINTERS = "json: /question -> /answer/text"


async def said_to(guarded: Any, asked: str, media_type: str = JSON) -> Got:
    async with serving(guarded, lifespan="off") as port:
        return await ask(port, "/chat", asked, media_type=media_type)


def question(text: str) -> str:
    return json.dumps({"question": text})


REFUSALS: dict[str, tuple[str, str, bytes, bool, Any]] = {
    # format, request, what the application says, whether it ran, what is delivered
    "text, at the input": ("text", "forbidden", b"", False, REPLY),
    "text, at the output": ("text", "hi", b"forbidden", True, REPLY),
    "pointers, at the input": (POINTERS, question("forbidden"), b"", False,
                               {"answer": {"text": REPLY}}),
    "pointers, at the output": (
        POINTERS, question("hi"), b'{"id": 7, "answer": {"text": "forbidden", "tone": "kind"}}',
        True, {"id": 7, "answer": {"text": REPLY, "tone": "kind"}},
    ),
    "several pointers": (
        "json: /question -> /answer, /more/0", question("hi"),
        b'{"answer": "forbidden", "more": ["forbidden, too", 1], "id": 7}', True,
        {"answer": REPLY, "more": ["", 1], "id": 7},
    ),
    "a pointer that leads nowhere in the request": (
        POINTERS, '{"quest": "hi"}', b"", False, {"answer": {"text": REPLY}}
    ),
    "a pointer to a number in the request": (
        POINTERS, '{"question": 3}', b"", False, {"answer": {"text": REPLY}}
    ),
    "a pointer that leads nowhere in the response": (
        POINTERS, question("hi"), b'{"answer": "fine"}', True, {"answer": {"text": REPLY}}
    ),
    "a pointer to a number in the response": (
        POINTERS, question("hi"), b'{"answer": {"text": 3}}', True, {"answer": {"text": REPLY}}
    ),
    "escaped pointers": (
        "json: /a~1b -> /~0", '{"a/b": "hi"}', b'{"~": "forbidden"}', True, {"~": REPLY}
    ),
    "a list of messages": (
        "json: /talk -> /answer",
        '{"talk": [{"role": "user", "content": "forbidden"}]}', b"", False, {"answer": REPLY},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("format", "asked", "said", "ran", "delivered"), REFUSALS.values(), ids=REFUSALS
)
async def test_a_refusal_has_the_formats_own_shape(
    guard: Guard, script: Script, records: Records, format: str, asked: str, said: bytes, ran: bool,
    delivered: Any,
) -> None:  # fmt: skip
    script.said = Said(said, "text/plain" if format == "text" else JSON)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": format})
    got = await said_to(guarded, asked)
    assert (got.status, got.verdict, len(script.seen)) == (200, "block", ran)
    assert got.headers["cache-control"] == "no-store"
    if isinstance(delivered, str):
        assert (got.body.decode(), got.media_type) == (delivered, "text/plain")
        assert "charset=utf-8" in got.headers["content-type"]
    else:
        assert (json.loads(got.body), got.media_type) == (delivered, JSON)
    assert records.how()[-1][1:] == ("block", "reply")


async def test_what_pointers_leave_out_is_no_text(guard: Guard, script: Script) -> None:
    script.said = Said(b'{"note": "forbidden", "answer": "a  secret", "n": [1.50]}', JSON)
    guarded = GuardrailMiddleware(
        plain_app(script), guard, routes={"/*": "json: /question -> /answer"}
    )
    got = await said_to(guarded, '{"id": "forbidden", "question": "hi"}')
    assert json.loads(got.body) == {"note": "forbidden", "answer": "a  ", "n": [1.5]}


@pytest.mark.parametrize(
    "asked", ['{"talk": [{"role": "user", "content": "what secret"}], "n": 1}'], ids=["messages"]
)
async def test_messages_at_a_pointer_are_changed_in_their_place(
    guard: Guard, script: Script, asked: str
) -> None:
    script.said = Said(b'{"answer": "fine"}', JSON)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": "json: /talk -> /answer"})
    assert (await said_to(guarded, asked)).verdict == "allow"
    assert json.loads(script.seen[0].body) == {
        "talk": [{"role": "user", "content": "what "}], "n": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("format", "asked"),
    [("text", "forbidden"), ("json", '"forbidden"'), (POINTERS, question("forbidden"))]
    + [(name, json.dumps(p.request("forbidden"))) for name, p in PROVIDERS.items()],
    ids=lambda value: value if len(value) < 20 else "",
)
async def test_by_setting_a_refusal_is_a_403_problem(
    guard: Guard, script: Script, format: str, asked: str
) -> None:
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": format}, refuse="problem")
    got = await said_to(guarded, asked)
    assert (got.status, got.media_type) == (403, "application/problem+json")
    assert json.loads(got.body) == {
        "type": "about:blank",
        "title": "Stopped by the constitution",
        "status": 403,
        "detail": REPLY,
        "verdict": "block",
        "record": got.headers["guardrails-record"],
    }


async def test_free_json_has_no_place_for_a_reply(guard: Guard, script: Script) -> None:
    script.said = Said(b'{"a": "forbidden"}', JSON)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": "json"})
    got = await said_to(guarded, '{"a": "hi"}')
    assert (got.status, got.media_type) == (403, "application/problem+json")


CLEAN: dict[str, tuple[str, bytes, str]] = {
    "white space": ("json", b' {"a" :\r\n\t"b" , "c":[ ]}\n\n', JSON),
    "escapes": ("json", b'{"a": "\\u0062\\/\\u00e9\\ud83c\\udf89"}', JSON),
    "numbers": ("json", b'{"a": 1.50, "b": 1E2, "c": -0, "d": 12345678901234567890}', JSON),
    "the order of keys": ("json", b'{"b": 1, "a": 2}', JSON),
    "a problem": ("auto", b'{"detail":"x"}', "application/problem+json"),
    "text in Latin-1": ("text", "naïve é".encode("latin-1"), "text/plain; charset=iso-8859-1"),
    "text in Shift_JIS": ("text", "日本語".encode("shift_jis"), "text/plain; charset=Shift_JIS"),
    "odd line ends": ("text", b"a\r\n\rb\n\n  ", "text/plain"),
    "a web page": ("auto", b"<p>Hello</p>", "text/html; charset=utf-8"),
    "JSON in a text": ("auto", b'{"a": "\\u0062"}', "text/plain"),
    "odd, which is flagged": ("text", b"oddly  so", "text/plain"),
}


@pytest.mark.parametrize(("format", "body", "media_type"), CLEAN.values(), ids=CLEAN)
async def test_what_is_clean_is_untouched_both_ways(
    guard: Guard, script: Script, format: str, body: bytes, media_type: str
) -> None:
    script.said = Said([body[:5], body[5:]], media_type)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": format})
    async with serving(guarded, lifespan="off") as port:
        got = await ask(port, "/chat", body, media_type=media_type)
    assert got.body == body
    assert got.headers["content-type"] == media_type
    assert script.seen[0].body == body


async def test_a_text_that_no_longer_fits_its_charset_is_told_in_utf_8(
    tmp_path: Path, script: Script, records: Records
) -> None:
    house = CONSTITUTION.replace("Please ask a person.", "Bitte fragen Sie — 人.")
    guard = load_house(tmp_path, records, house)
    script.said = Said("Gä. I promise it.".encode("latin-1"), "text/plain; charset=iso-8859-1")
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": "text"})
    got = await said_to(guarded, "hi", "text/plain")
    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    assert got.body.decode() == "Gä. Bitte fragen Sie — 人."


# -- outages, and what cannot be recorded --------------------------------------------------------


def with_a_line_that_is_down(folder: Path, records: Records, stage: str) -> Guard:
    house = (
        CONSTITUTION
        + f"""
  - {{id: house.line, text: Is seen over the line., stages: [{stage}], action: flag,
     on_outage: block, critics: [line]}}
"""
    )
    critic = scripted_critic(CriticOutage("the line is down"), name="line", tier="local")
    return load_house(folder, records, house, critics=[critic])


ERRORS: dict[str, Any] = {
    "anthropic": {"type": "error", "error": {"type": "overloaded_error", "message": UNAVAILABLE}},
    "openai-chat": {"error": {"message": UNAVAILABLE, "type": "server_error", "param": None,
                              "code": "server_error"}},
}  # fmt: skip
ERRORS["openai-responses"] = ERRORS["openai-chat"]


@pytest.mark.parametrize("refuse", ["reply", "problem"])
@pytest.mark.parametrize("name", ["text", "json", "auto", *PROVIDERS])
@pytest.mark.parametrize("stage", ["input", "output"])
async def test_an_outage_is_a_503_in_the_formats_own_error(
    tmp_path: Path, script: Script, records: Records, name: str, stage: str, refuse: Any
) -> None:
    guard = with_a_line_that_is_down(tmp_path, records, stage)
    asked: Any = '"hi"'
    script.said = Said(b'"fine"', "text/plain" if name == "text" else JSON)
    if name in PROVIDERS:
        asked = json.dumps(PROVIDERS[name].request("hi"))
        script.said = Said(json.dumps(PROVIDERS[name].reply("fine")).encode(), JSON)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": name}, refuse=refuse)
    got = await said_to(guarded, asked)
    assert (got.status, got.verdict, got.headers["retry-after"]) == (503, "block", "5")
    assert len(script.seen) == (stage == "output")
    said = json.loads(got.body)
    if name in ERRORS:
        assert (got.media_type, said) == (JSON, ERRORS[name])
    else:
        assert got.media_type == "application/problem+json"
        assert (said["title"], said["detail"]) == ("The check is unavailable", UNAVAILABLE)
    assert [record.cause for record in records.opened if record.cause] == ["outage"]
    assert records.how()[-1] == (stage, "block", "reply")


class Unwritable(Records):
    """Fails from the nth entry on."""

    def __init__(self, entries: int) -> None:
        super().__init__()
        self.left = entries

    async def open(self, record: Any) -> None:
        self._write()
        await super().open(record)

    async def close(self, record: Any) -> None:
        self._write()
        await super().close(record)

    def _write(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise AuditError("the disk is full")


@pytest.mark.parametrize("entries", range(4))
@pytest.mark.parametrize("name", ["text", *PROVIDERS])
@pytest.mark.parametrize("said", ["fine", "forbidden"])
async def test_what_cannot_be_recorded_is_not_delivered(
    tmp_path: Path, script: Script, name: str, entries: int, said: str
) -> None:
    guard = load_house(tmp_path, Unwritable(entries))
    asked: Any = "hi"
    script.said = Said(said.encode())
    if name in PROVIDERS:
        asked = json.dumps(PROVIDERS[name].request("hi"))
        script.said = Said(json.dumps(PROVIDERS[name].reply(said)).encode(), JSON)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": name})
    got = await said_to(guarded, asked)
    assert got.status == 503
    assert got.headers["retry-after"] == "5"
    assert said.encode() not in got.body
    assert REPLY.encode() not in got.body
    assert len(script.seen) == (entries >= 2)
    assert ("error" in json.loads(got.body)) == (name in PROVIDERS)


# -- no word of anybody's ------------------------------------------------------------------------

PRIVATE = "zebra-crossing-9217"


@pytest.mark.parametrize(
    ("format", "asked", "said", "media_type"),
    [
        ("text", f"forbidden {PRIVATE}", "fine", "text/plain"),
        ("text", "hi", f"forbidden {PRIVATE}", "text/plain"),
        ("json", f'{{"{PRIVATE}": 1, "{PRIVATE}": 2}}', "fine", JSON),
        ("json", f'{{"a": "{PRIVATE}', "fine", JSON),
        ("json", f'["{PRIVATE}", NaN]', "fine", JSON),
        ("json", "1", f'{{"{PRIVATE}": 1, "{PRIVATE}": 2}}', JSON),
        ("json", "1", f"<{PRIVATE}>", JSON),
        (POINTERS, f'{{"{PRIVATE}": "{PRIVATE}"}}', "fine", JSON),
        ("auto", PRIVATE, "fine", f"x/{PRIVATE}"),
        ("auto", "hi", f"event: {PRIVATE}\ndata: {PRIVATE}\n\n", "text/event-stream"),
        ("anthropic", "{}", "fine", JSON),
        ("anthropic", '{"messages": []}',
         f'event: {PRIVATE}\ndata: {{"type": "{PRIVATE}"}}\n\n', "text/event-stream"),
        ("anthropic", '{"messages": []}',
         f'data: {{"type": "{PRIVATE.replace("-", "_")}"}}\n\n', "text/event-stream"),
    ],
    ids=range(13),
)  # fmt: skip
async def test_neither_an_answer_nor_the_log_has_a_word_of_the_texts(
    guard: Guard,
    script: Script,
    format: str,
    asked: str,
    said: str,
    media_type: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    script.said = Said(said.encode(), media_type)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": format})
    asked_type = "text/plain" if media_type == "text/event-stream" else media_type
    got = await said_to(guarded, asked, asked_type)
    assert PRIVATE.encode() not in got.body
    for private in (PRIVATE, PRIVATE.replace("-", "_")):
        assert private not in caplog.text
    assert all(PRIVATE not in value for value in got.headers.values())


def test_every_verdict_that_does_not_deliver_has_an_answer() -> None:
    assert [verdict for verdict in Verdict if not verdict.delivers] == [
        Verdict.BLOCK, Verdict.ESCALATE
    ]  # fmt: skip
