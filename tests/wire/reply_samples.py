"""Whole replies of the providers, as hypothesis makes them up."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from guardrails.wire.event_replies import ANTHROPIC, CHAT, RESPONSES

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
WORD = st.text("abcxyz_", min_size=1, max_size=8)
ARGUMENTS = st.dictionaries(WORD, TEXT | st.integers() | st.lists(TEXT, max_size=2), max_size=3)
COUNT = st.integers(0, 10_000)

BLOCK = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}),
    st.fixed_dictionaries(
        {"type": st.just("thinking"), "thinking": TEXT, "signature": WORD}
    ),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": WORD}),
    st.fixed_dictionaries(
        {"type": st.just("tool_use"), "id": WORD, "name": WORD, "input": ARGUMENTS}
    ),
)  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {
        "id": WORD,
        "type": st.just("message"),
        "role": st.just("assistant"),
        "model": WORD,
        "content": st.lists(BLOCK, max_size=4),
        "stop_reason": st.sampled_from(["end_turn", "tool_use", "refusal"]),
        "stop_sequence": st.none() | WORD,
        "usage": st.fixed_dictionaries({"input_tokens": COUNT, "output_tokens": COUNT}),
    }
)

CALL = st.fixed_dictionaries(
    {
        "id": WORD,
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": WORD, "arguments": ARGUMENTS.map(json.dumps)}),
    }
)
CHAT_SAID = st.fixed_dictionaries(
    {"role": st.just("assistant")},
    optional={
        "content": TEXT,
        "refusal": TEXT,
        "tool_calls": st.lists(CALL, min_size=1, max_size=3).map(
            lambda calls: [{"index": n, **call} for n, call in enumerate(calls)]
        ),
    },
)
COMPLETION = st.fixed_dictionaries(
    {
        "id": WORD,
        "object": st.just("chat.completion"),
        "created": st.integers(1, 10_000),
        "model": WORD,
        "choices": st.lists(
            st.fixed_dictionaries(
                {"message": CHAT_SAID, "finish_reason": st.sampled_from(["stop", "tool_calls"])}
            ),
            min_size=1,
            max_size=3,
        ).map(lambda choices: [{"index": n, **choice} for n, choice in enumerate(choices)]),
    },
    optional={"usage": st.fixed_dictionaries({"total_tokens": COUNT})},
)

ITEM = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("message"),
            "id": WORD,
            "role": st.just("assistant"),
            "status": st.just("completed"),
            "content": st.lists(
                st.one_of(
                    st.fixed_dictionaries(
                        {"type": st.just("output_text"), "text": TEXT, "annotations": st.just([])}
                    ),
                    st.fixed_dictionaries({"type": st.just("refusal"), "refusal": TEXT}),
                ),
                max_size=2,
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("function_call"),
            "id": WORD,
            "call_id": WORD,
            "name": WORD,
            "arguments": ARGUMENTS.map(json.dumps),
            "status": st.just("completed"),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("reasoning"),
            "id": WORD,
            "summary": st.lists(
                st.fixed_dictionaries({"type": st.just("summary_text"), "text": TEXT}), max_size=2
            ),
        }
    ),
)
WHOLE_RESPONSE = st.fixed_dictionaries(
    {
        "id": WORD,
        "object": st.just("response"),
        "created_at": COUNT,
        "model": WORD,
        "status": st.sampled_from(["completed", "incomplete"]),
        "instructions": st.none() | TEXT,
        "output": st.lists(ITEM, max_size=3),
        "usage": st.none(),
    }
)
REPLIES = st.one_of(
    st.tuples(st.just(ANTHROPIC), MESSAGE),
    st.tuples(st.just(CHAT), COMPLETION),
    st.tuples(st.just(RESPONSES), WHOLE_RESPONSE),
)
