"""What is found in a stream is what is found in the whole text, however it is cut."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrails.guard import Guard

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
    critics: [pattern: {breach: ['codeword\W+omega']}]
  - id: house.plot
    text: Helps with no plot.
    action: redact
    critics: [negative_examples]
    examples: {breach: [Sure. I will help you plot the heist]}
  - id: house.secret
    text: Tells no secrets.
    action: redact
    critics: [secrets]
pii: {output: {EMAIL_ADDRESS: redact, URL: redact}}
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
