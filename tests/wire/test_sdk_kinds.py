"""Every kind of content that the installed SDKs know is read in a known way: one that a new version
adds shows up here, and is undecided until somebody has said how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anthropic.types as anthropic
import anthropic.types.beta as beta
import openai.types.chat as chat
import openai.types.responses as responses
import pytest
from anthropic.types import document_block_param, image_block_param, tool_result_block_param
from openai.types.responses import (
    response_code_interpreter_tool_call,
    response_output_message,
    response_output_text,
)
from sdk_kinds import WORDS, members, sample

from guardrails.exchange import Part
from guardrails.wire.place import Place
from guardrails.wire.reading import read
from guardrails.wire.shapes import ANNOTATION, BLOCKS, CITATION, ITEMS, MESSAGES, Reads

TEXT, UNDECIDED, SIGNED = "text", "undecided", "undecided beside text"

TEXT_BLOCKS = dict.fromkeys(
    (
        "text",
        "thinking",
        "tool_use",
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
    ),
    TEXT,
)
REPLIED = {**TEXT_BLOCKS, "container_upload": "file", "redacted_thinking": UNDECIDED}
SENT = {
    **REPLIED,
    "image": "image",
    "document": "file",
    "search_result": TEXT,
    "tool_result": TEXT,
}
BETA = {
    "mcp_tool_use": TEXT,
    "mcp_tool_result": TEXT,
    **dict.fromkeys(("compaction", "fallback", "mcp_tool_listing"), UNDECIDED),
    "advisor_tool_result": UNDECIDED,
}
BETA_SENT = {"tool_addition": UNDECIDED, "tool_removal": UNDECIDED}
ITEMS_READ = {
    "message": TEXT,
    "file_search_call": TEXT,
    "web_search_call": TEXT,
    "function_call": TEXT,
    "function_call_output": TEXT,
    "custom_tool_call": TEXT,
    "custom_tool_call_output": TEXT,
    "code_interpreter_call": TEXT,
    "mcp_call": TEXT,
    "reasoning": SIGNED,
    "image_generation_call": "image",
    "computer_call_output": "image",
}
ITEMS_UNREAD = dict.fromkeys(
    (
        *("computer_call", "tool_search_call", "tool_search_output", "additional_tools"),
        *("compaction", "program", "program_output", "local_shell_call", "shell_call"),
        *("local_shell_call_output", "shell_call_output", "apply_patch_call", "mcp_list_tools"),
        *("apply_patch_call_output", "mcp_approval_request", "mcp_approval_response"),
    ),
    UNDECIDED,
)
ITEMS_SENT = dict.fromkeys(
    ("configuration_update", "compaction_trigger", "item_reference"), UNDECIDED
)
PARTS = {"input_text": TEXT, "input_image": "image", "input_file": "file"}

UNIONS: Mapping[str, tuple[Any, Reads, Mapping[str, str]]] = {
    "anthropic: replies": (anthropic.ContentBlock, BLOCKS, REPLIED),
    "anthropic: requests": (anthropic.ContentBlockParam, BLOCKS, SENT),
    "anthropic: beta replies": (beta.BetaContentBlock, BLOCKS, REPLIED | BETA),
    "anthropic: beta requests": (beta.BetaContentBlockParam, BLOCKS, SENT | BETA | BETA_SENT),
    "anthropic: tool results": (
        tool_result_block_param.Content,
        BLOCKS,
        {
            "text": TEXT,
            "search_result": TEXT,
            "document": "file",
            "image": "image",
            "tool_reference": TEXT,
            "browser_state": TEXT,
        },
    ),
    "anthropic: citations": (
        anthropic.TextCitation,
        CITATION,
        dict.fromkeys(
            (
                *("char_location", "page_location", "content_block_location"),
                *("web_search_result_location", "search_result_location"),
            ),
            TEXT,
        ),
    ),
    "chat: parts": (
        chat.ChatCompletionContentPartParam,
        BLOCKS,
        {"text": TEXT, "image_url": "image", "input_audio": "audio", "file": "file"},
    ),
    "responses: parts": (responses.ResponseInputContentParam, BLOCKS, PARTS),
    "responses: tool results": (responses.ResponseFunctionCallOutputItemParam, BLOCKS, PARTS),
    "responses: replies": (
        response_output_message.Content,
        BLOCKS,
        {"output_text": TEXT, "refusal": TEXT},
    ),
    "responses: annotations": (
        response_output_text.Annotation,
        ANNOTATION,
        {
            "file_citation": TEXT,
            "url_citation": TEXT,
            "container_file_citation": TEXT,
            "file_path": TEXT,
        },
    ),
    "responses: items": (responses.ResponseOutputItem, ITEMS, ITEMS_READ | ITEMS_UNREAD),
    "responses: sent items": (
        responses.ResponseInputItemParam,
        MESSAGES,
        ITEMS_READ | ITEMS_UNREAD | ITEMS_SENT,
    ),
}

UNKNOWN_FIELDS = frozenset(
    {
        *("action", "sources", "queries", "query", "url", "type"),  # of web searches
        *("attributes", "file_id", "filename", "score", "text"),  # of files that were found
        *("moderation_details", "moderation_stage", "categories", "param"),  # of images not made
        *("acknowledged_safety_checks", "code", "id", "message", "name", "input"),
    }
)
"""What is read like any value, the names of its fields included."""


def parts_of(value: object, reads: Reads) -> tuple[Part, ...]:
    return read(value, Place(role="user", reads=reads)).parts


def way(parts: tuple[Part, ...]) -> str:
    unread = {part.attachment or UNDECIDED for part in parts if not part.readable}
    if unread == {UNDECIDED} and any(part.readable for part in parts):
        return SIGNED
    assert len(unread) < 2
    return unread.pop() if unread else TEXT


@pytest.mark.parametrize("name", UNIONS)
def test_each_kind_of_content_is_read_in_a_known_way(name: str) -> None:
    union, reads, known = UNIONS[name]
    samples = [sample(member) for member in members(union)]
    assert {each["type"]: way(parts_of(each, reads)) for each in samples} == known


@pytest.mark.parametrize("name", UNIONS)
def test_promise_2_no_words_in_it_are_passed_over(name: str) -> None:
    union, reads, _ = UNIONS[name]
    for member in members(union):
        value = sample(member)
        parts = parts_of(value, reads)
        if any(part.kind == "opaque" and part.attachment is None for part in parts):
            continue
        assert sum(part.text == WORDS for part in parts) == count(value), value["type"]
        names = {part.text for part in parts if part.path and part.text == part.path[-1]}
        assert names <= UNKNOWN_FIELDS, value["type"]


def count(value: object) -> int:
    if isinstance(value, dict):
        return sum(map(count, value.values()))
    return sum(map(count, value)) if isinstance(value, list) else int(value == WORDS)


SOURCES = {"base64": "file", "url": "file", "file": "file", "text": TEXT, "content": TEXT}


@pytest.mark.parametrize(
    ("union", "block", "known"),
    [
        (document_block_param.Source, "document", SOURCES),
        (image_block_param.Source, "image", dict.fromkeys(("base64", "url", "file"), "image")),
    ],
    ids=["document", "image"],
)
def test_each_source_is_read_in_a_known_way(
    union: Any, block: str, known: Mapping[str, str]
) -> None:
    sources = [sample(member) for member in members(union)]
    blocks = [{"type": block, "source": source} for source in sources]
    assert {each["source"]["type"]: way(parts_of(each, BLOCKS)) for each in blocks} == known
    assert all(
        count(each) == sum(p.text == WORDS for p in parts_of(each, BLOCKS)) for each in blocks
    )


def test_what_code_printed_and_drew_is_read_in_a_known_way() -> None:
    outputs = [sample(each) for each in members(response_code_interpreter_tool_call.Output)]
    calls = [{"type": "code_interpreter_call", "outputs": [output]} for output in outputs]
    found = {call["outputs"][0]["type"]: way(parts_of(call, ITEMS)) for call in calls}
    assert found == {"logs": TEXT, "image": "image"}
