"""Promise 2: whatever JSON an endpoint answers with, nothing but an answer in its whole shape is
one, and nothing but the protocol's errors comes out."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from llm_samples import BODIES, KINDS, Kind, asked, question

from guardrails.llm.anthropic import AnthropicModel
from guardrails.llm.attempts import Failed
from guardrails.llm.openai import _read
from guardrails.llm.protocol import Answer

WORDS = ("text", "stop", "end_turn", "message", "assistant", "refusal", "", "1", "tool_use")
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2**70), st.floats(), st.sampled_from(WORDS), st.text()
)
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from((*WORDS, "type", "content", "usage")), inner, max_size=3),
    ),
    max_leaves=8,
)
MODEL = asked("anthropic", "http://127.0.0.1:1").model


def places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, Mapping) else enumerate(value)
    found = []
    for key, each in inner:
        found.append((*before, key))
        if isinstance(each, dict | list):
            found += places(each, (*before, key))
    return found


@st.composite
def bodies(draw: st.DrawFn) -> tuple[Kind, Any]:
    """A whole answer, with up to three places of it changed or taken out."""
    kind = draw(st.sampled_from(KINDS))
    body = copy.deepcopy(dict(BODIES[kind]))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(body) or [("model",)]))
        holder: Any = body
        for step in way:
            holder = holder[step]
        if draw(st.booleans()):
            holder[last] = draw(JSON)
        elif isinstance(holder, dict):
            del holder[last]
    return kind, body


def read(kind: Kind, body: Any) -> Answer | Failed | None:
    if kind == "openai":
        return _read(body, question())
    assert isinstance(MODEL, AnthropicModel)
    return MODEL._answer(json.dumps(body).encode(), {})


@given(bodies())
def test_2_a_changed_body_is_an_answer_or_not_the_providers(changed: tuple[Kind, Any]) -> None:
    kind, body = changed
    answer = read(kind, body)
    if isinstance(answer, Answer):
        assert answer.text.strip() or answer.stop != "finished"
        assert not (answer.text and answer.stop == "refused")
        assert min(answer.tokens.input, answer.tokens.output, answer.tokens.cache_read) >= 0
        assert answer.tokens.estimated or answer.tokens.total_input >= 0
    else:
        assert answer is None or answer.is_outage
