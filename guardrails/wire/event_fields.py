"""Closed lists of the events that the providers' streams consist of, and of their fields.

Sources: Anthropic's Messages API, streaming, version 2026-10-21; OpenAI's chat completions and
responses, streaming, SDK 3.54.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = [
    "ANTHROPIC_DELTAS",
    "ANTHROPIC_EVENTS",
    "CHAT_ONCE",
    "RESPONSE_DELTAS",
    "RESPONSE_ECHOES",
    "RESPONSE_ENDS",
    "RESPONSE_IMAGE",
    "RESPONSE_IMAGE_FIELDS",
    "RESPONSE_OBJECTS",
    "RESPONSE_PLACES",
    "RESPONSE_SILENT",
    "RESPONSE_TEXTS",
]

ANTHROPIC_EVENTS: Mapping[str, tuple[str, ...]] = {
    "ping": (),
    "error": ("error", "request_id"),
    "message_start": ("message",),
    "content_block_start": ("index", "content_block"),
    "content_block_delta": ("index", "delta"),
    "content_block_stop": ("index",),
    "message_delta": ("delta", "usage"),
    "message_stop": (),
}
"""Type of an event → its fields."""

ANTHROPIC_DELTAS: Mapping[str, str] = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
    "citations_delta": "citation",
}
"""Type of a delta → its field."""

CHAT_ONCE = frozenset({"role", "id", "type", "index", "name"})
"""Fields of a delta that are said whole; every other text is added to what came before."""

RESPONSE_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
RESPONSE_ECHOES = frozenset({"response.created", "response.in_progress", "response.queued"})
RESPONSE_TEXTS: Mapping[str, str] = {
    "response.output_text.done": "text",
    "response.refusal.done": "refusal",
    "response.function_call_arguments.done": "arguments",
    "response.mcp_call_arguments.done": "arguments",
    "response.custom_tool_call_input.done": "input",
    "response.code_interpreter_call_code.done": "code",
    "response.reasoning_text.done": "text",
    "response.reasoning_summary_text.done": "text",
}
"""Events that say a whole text again → its field."""

RESPONSE_DELTAS = frozenset(name.removesuffix("done") + "delta" for name in RESPONSE_TEXTS)
RESPONSE_OBJECTS: Mapping[str, str] = {
    "response.output_item.added": "item",
    "response.output_item.done": "item",
    "response.content_part.added": "part",
    "response.content_part.done": "part",
    "response.reasoning_summary_part.added": "part",
    "response.reasoning_summary_part.done": "part",
    "response.output_text.annotation.added": "annotation",
}
RESPONSE_SILENT = re.compile(
    r"response\.(?:web_search|file_search|code_interpreter|image_generation|mcp)_call"
    r"\.(?:in_progress|searching|generating|interpreting|completed|failed)"
)
RESPONSE_IMAGE = "response.image_generation_call.partial_image"
RESPONSE_IMAGE_FIELDS = (
    "partial_image_b64", "partial_image_index", "background", "output_format", "quality", "size",
)  # fmt: skip
"""An image on its way, before its item has all of it."""

RESPONSE_PLACES = (
    "sequence_number", "item_id", "output_index", "content_index", "summary_index",
    "annotation_index", "logprobs", "obfuscation",
)  # fmt: skip
