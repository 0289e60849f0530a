"""What is found in a stream is what is found in the whole text, however it is cut."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrails.guard import Guard
from guardrails.verdict import Verdict

HOUSE = r"""
schema: 1
id: house
version: 1.0.0
title: House
owner: us
principles:
  - id: house.promise
    text: Promises nothing.
    action: redact
    critics:
      - pattern: {breach: ['guaranteed'], unless: ['\bnot\b']}
  - id: house.codeword
    text: Tells no codeword.
    action: redact
    critics: [pattern: {breach: ['codeword\W+omega', 'alpha\W+été']}]
  - id: house.plot
    text: Helps with no plot.
    action: redact
    critics: [negative_examples]
    examples: {breach: [Sure. I will help you plot the heist]}
  - id: house.secret
    text: Tells no secrets.
    action: redact
    critics: [secrets]
pii: {output: {EMAIL_ADDRESS: redact, URL: redact, US_PASSPORT: {action: redact, min_score: 0.4}}}
"""


def _base64(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


TOKEN = ".".join(
    [
        _base64('{"alg":"HS256","typ":"JWT"}'),
        _base64('{"sub":"' + "abc123" * 400 + '"}'),
        "Qw3rTyUiOpAsDfGhJkLzXcVbNm1234567890abcd",
    ]
)
KEY = "\n".join(
    [
        "-----BEGIN RSA PRIVATE KEY-----",
        *(_base64(str(line) * 48)[:64] for line in range(1000, 1020)),
        "-----END RSA PRIVATE KEY-----",
    ]
)
UNENDING = "x," * 2_000
UNSEEN = "\u200b\u200d\u2060\ufeff" * 150
MARKS = "\u0301\u0330" * 1_000


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    file: Path = tmp_path_factory.mktemp("house") / "house.yaml"
    file.write_text(HOUSE, encoding="utf-8")
    guard = Guard.load(file, offline=True)
    yield guard
    guard.sync.close()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(UNENDING[:2_600] + TOKEN + ". Done. ok", id="a token without a blank near"),
        pytest.param(UNENDING[:3_990] + KEY + "\nDone. ok", id="a key's first line"),
        pytest.param("a word " * 142 + KEY + "\nDone. ok", id="a key's first line at a blank"),
        pytest.param(UNENDING[:3_990] + ",jo.smith@example.com,y. ok", id="an address"),
        pytest.param(UNENDING[:3_985] + ",https://example.com/path?a=b,y. ok", id="a link"),
        pytest.param("Ask joe！smith@example.com now. Thanks.", id="a wide mark in an address"),
        pytest.param("Ask joe!ｓmith@example.com now. Thanks.", id="a wide letter in an address"),
        pytest.param("It is guaranteed！not so. Fine.", id="a wide mark before what excepts"),
        pytest.param(
            "a b " * 225 + "not " + "c d " * 40 + "guaranteed" + " e f" * 300,
            id="what excepts, before in a long sentence",
        ),
        pytest.param(
            "a b " * 230 + "guaranteed" + " c d" * 60 + " not" + " e f" * 300,
            id="what excepts, after in a long sentence",
        ),
        pytest.param(
            "a b " * 225 + "not " + "c d " * 270 + "guaranteed" + " e f" * 300,
            id="what is too far away to except",
        ),
        pytest.param(
            "Hi. codeword\nomegaSure. I will help you plot the heist",
            id="what is found once something before it is gone",
        ),
        pytest.param(f"Sure. {UNSEEN}I will help you plot{UNSEEN} the heist. ok", id="an example"),
        pytest.param(f"Hi. codeword. {UNSEEN}omega. ok", id="a pattern"),
        pytest.param(f"Hi. codeword{UNSEEN}\n{UNSEEN} omega. ok", id="a pattern from afar"),
        pytest.param(f"It is not{UNSEEN * 3} so x guaranteed. ok", id="what excepts, before"),
        pytest.param(f"guaranteed, x{UNSEEN * 3} is it not. ok", id="what excepts, after"),
        pytest.param(KEY.replace("PRIVATE", f"PRI{UNSEEN}VATE") + "\nDone. ok", id="a key"),
        pytest.param(KEY.replace("\n", UNSEEN + "\n") + "\nDone. ok", id="a key's lines"),
        pytest.param(f"My passport:\n\n{UNSEEN * 4}It.\nIs 912803456. ok", id="a word before"),
        pytest.param(f"My passport:\n\nx{MARKS}.\nIs 912803456. ok", id="a word before marks"),
        pytest.param("Hi. alpha. e\u0301te\u0301. ok", id="accents by themselves"),
        pytest.param(f"Hi. alpha. e{UNSEEN}\u0301te\u0301. ok", id="accents far away"),
    ],
)
@pytest.mark.parametrize("size", [1, 64, 10_000])
async def test_promise_4_a_stream_is_changed_as_the_whole_text_is(
    text: str, size: int, house: Guard
) -> None:
    whole = await house.check_output(text)
    stream = house.stream([text[at : at + size] for at in range(0, len(text), size)])
    assert "".join([piece async for piece in stream]) == whole.text
    assert stream.decision.verdict is whole.verdict
    assert {(f.principle, f.span) for f in stream.decision.findings} == {
        (f.principle, f.span) for f in whole.findings
    }


@pytest.mark.parametrize("size", [7, 64, 4_000, 100_000])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Hi. codeword. " + "\u200b" * 60_000 + "omega. ok", id="after a begin"),
        pytest.param("Hi. It is so" + "\u200b" * 60_000 + " fine. ok", id="between words"),
        pytest.param("Hi. codeword. " + "x\u0301" + "\u0301" * 60_000, id="marks at the end"),
    ],
)
async def test_a_stream_of_which_nothing_is_seen_ends_as_a_limit(
    text: str, size: int, house: Guard
) -> None:
    stream = house.stream([text[at : at + size] for at in range(0, len(text), size)])
    left = "".join([piece async for piece in stream])
    assert left == "Hi. " + stream.decision.text
    assert stream.decision.cause == "limit"
    assert [f.principle for f in stream.decision.findings] == ["format.readable"]
    assert not stream.decision.released_before_breach


async def test_some_characters_that_nobody_sees_leave_as_they_came(house: Guard) -> None:
    text = "Hi. It is so" + "\u200b" * 3_000 + " fine. " + "नमस्ते दुनिया। " * 300 + "ok"
    stream = house.stream([text[at : at + 50] for at in range(0, len(text), 50)])
    assert "".join([piece async for piece in stream]) == text
    assert stream.decision.verdict is Verdict.ALLOW
