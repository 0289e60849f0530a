"""What is kept of a reply that was blocked, and what a request says about its answer."""

from __future__ import annotations

from typing import Any

import pytest

from guardrails.wire.refusals import expects_json, known_of

KEPT: dict[str, Any] = {
    "id": "msg_1",
    "model": "gpt-5",
    "usage": {"output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 1}},
    "created": 1_764_000_000,
}


def test_what_holds_no_text_is_kept() -> None:
    assert known_of({**KEPT, "content": "hidden words"}) == KEPT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "hidden words"),
        ("id", 7),
        ("model", "hidden words"),
        ("model", ["m"]),
        ("usage", {"hidden words": 1}),
        ("usage", {"note": "hidden words"}),
        ("usage", 3),
        ("usage", {"card": 4111111111111111}),
        ("created", "now"),
        ("created", 4111111111111111),
    ],
)
def test_what_may_hold_a_text_is_not(name: str, value: object) -> None:
    kept = {key: held for key, held in KEPT.items() if key != name}
    assert known_of({**KEPT, name: value}) == kept


def test_what_is_unknown_among_what_was_used_is_not_kept() -> None:
    usage = {**KEPT["usage"], "hidden": 1, "prompt_tokens": 5551234567}
    assert known_of({**KEPT, "usage": usage}) == KEPT


@pytest.mark.parametrize("document", [None, [], "x", 7])
def test_nothing_is_kept_of_what_is_no_object(document: object) -> None:
    assert known_of(document) == {}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, False),
        ({"response_format": {"type": "text"}}, False),
        ({"response_format": {"type": "json_object"}}, True),
        ({"text": {"format": {"type": "json_schema"}}}, True),
        ({"text": {"verbosity": "low"}}, False),
        ({"output_config": {"format": {"type": "json_schema"}}}, True),
        ({"output_config": "json", "text": []}, False),
    ],
    ids=repr,
)
def test_whether_json_is_expected(request_: dict[str, Any], expected: bool) -> None:
    assert expects_json(request_) is expected
