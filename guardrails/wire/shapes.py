"""Which fields of the providers' formats hold text, and which do not.

A `Shape` is a closed list: a field that it does not name is read like any value, its name included.
So a field that a provider adds later is judged, not passed over. Shapes fit the SDKs' objects and
plain dicts alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType, NoneType
from typing import Any

from guardrails.exchange import Kind, Role
from guardrails.wire.logprobs import Logprobs
from guardrails.wire.quiet import BASE64, CIPHER, DATA_URL, IDENTIFIER, SEED, USAGE, Quiet

__all__ = [
    "ANNOTATION",
    "BLOCKS",
    "CITATION",
    "FREE",
    "FUNCTION",
    "ITEMS",
    "MESSAGES",
    "REQUEST",
    "As",
    "Choice",
    "Free",
    "Json",
    "Reads",
    "Shape",
    "sdk_kind",
    "sdk_reads",
]


class Free:
    """Every string is text."""


class Json:
    """A string that holds JSON: its strings are read unescaped, as whoever parses it will."""


FREE, JSON_TEXT = Free(), Json()


@dataclass(frozen=True, slots=True)
class Choice:
    """Objects of several shapes, told apart by the value of a field: the first of `by` that is
    there, unless it says no more than what all of them are (`all_are`). One of no known shape
    cannot be judged. A string in the place of an object is text."""

    by: tuple[str, ...]
    shapes: Mapping[str, Shape]
    all_are: str | None = None

    def of(self, fields: Mapping[str, object]) -> Shape | None:
        named = [name for key in self.by if isinstance(name := fields.get(key), str)]
        if len(named) < 2:
            return self.shapes.get(named[0]) if named else None
        first, second = named[0], self.shapes.get(named[1])
        if first == self.all_are:
            return second
        if first in self.shapes:
            return self.shapes[first]
        # What has an unknown type is nobody's own words, whatever role stands beside that.
        return None if second is not None and second.target is False else second


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How to read an object, or each object of a list.

    `silent` fields repeat what was judged where it was said, or is nobody's to judge. `reads` says
    how to read the others. `unreadable` fields hold
    what no critic can read. `derived` fields depend on the text: when it changes they get what is
    made here. A `sealed` object is signed: never edited, but left out whole. Nobody can read an
    `opaque` one. What is `attached` goes by that name: all of the object, or its `unreadable`
    fields where it has some; what stands beside it (a title, the name of a file) is text. `names`
    is the field that names the tool, `called` the name of one that the provider itself runs.

    In a call, `arguments` is the field with all of its arguments; where there is none, the fields
    `inputs` are its arguments. `id` is the field that identifies a call, `answers` that of a result
    which says whose it is.
    """

    silent: frozenset[str] = frozenset()
    reads: Mapping[str, Reads] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: frozenset[str] = frozenset()
    derived: Mapping[str, Callable[[], object]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    sealed: bool = False
    opaque: bool = False
    attached: str | None = None
    names: str | None = None
    called: str | None = None
    arguments: str | None = None
    inputs: tuple[str, ...] = ()
    id: str | None = None
    answers: str | None = None
    kind: Kind | None = None
    role: Role | None = None
    target: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class As:
    """Whatever stands here, as somebody else's words."""

    role: Role
    target: bool = True
    kind: Kind = "text"
    reads: Reads = FREE


Reads = Free | Json | Quiet | Logprobs | Shape | Choice | As


def _shape(quiet: str = "", text: str = "", /, **reads: Reads) -> Shape:
    """Quiet fields (`type` always is) and fields of text, by their names; others as they read."""
    return Shape(
        reads={
            **dict.fromkeys(("type", *quiet.split()), IDENTIFIER),
            **dict.fromkeys(text.split(), FREE),
            **reads,
        }
    )


def _call(shape: Shape, arguments: str | None = None, **more: Any) -> Shape:
    made = replace(shape, kind="tool_call", role="assistant", names="name")
    return replace(made, arguments=arguments, **more)


def _result(shape: Shape, answers: str) -> Shape:
    return replace(shape, kind="tool_result", role="tool", answers=answers)


_GIVEN = As(role="tool", kind="tool_result")
"""What a tool gave that the provider itself has run, beside its call."""


def _document(shape: Shape) -> Shape:
    return replace(shape, kind="document")


def _attached(name: str, quiet: str = "", text: str = "", /, **reads: Reads) -> Shape:
    return replace(_shape(quiet, text, **reads), attached=name)


_KEPT = "cache_control prompt_cache_breakpoint"
"""How what is sent is kept for the next request."""

_SOURCE = _shape("media_type file_id", data=BASE64, url=DATA_URL)
OPAQUE = Shape(opaque=True)

# Anthropic's content blocks and OpenAI's content parts, by their type.

_blocks: dict[str, Shape] = {}
BLOCKS = Choice(("type",), _blocks)

CITATION = _document(
    _shape(
        "file_id document_index search_result_index start_char_index end_char_index "
        "start_page_number end_page_number start_block_index end_block_index",
        "cited_text title document_title url source",
        encrypted_index=CIPHER,
    )
)
ANNOTATION = _document(
    _shape(
        "file_id container_id index start_index end_index",
        "title url filename",
        url_citation=_shape("start_index end_index", "title url"),
    )
)
_DOCUMENT = _document(
    _shape(
        "citations cache_control",
        "title context",
        source=Choice(
            ("type",),
            {
                "text": _shape("media_type", "data"),
                "content": _shape(content=BLOCKS),
                "base64": _attached("document", "media_type", data=BASE64),
                "url": _attached("document", url=DATA_URL),
                "file": _attached("document", "file_id"),
            },
        ),
    )
)
_MADE = _attached("code_execution_output", "file_id")
_FOUND = _shape(
    "file_id error_code page_age retrieved_at file_type is_file_update return_code num_lines "
    "start_line total_lines new_lines new_start old_lines old_start",
    "title url stdout stderr lines error_message",
    encrypted_content=CIPHER,
    encrypted_stdout=CIPHER,
    content=Choice(
        ("type",), {"code_execution_output": _MADE, "bash_code_execution_output": _MADE}
    ),
    tool_references=_shape("", "tool_name"),
)
_RESULT = _shape("id tool_use_id cache_control caller", content=_FOUND)
_SERVER_RESULT = _result(_RESULT, "tool_use_id")
_FETCHED = replace(_FOUND, reads={**_FOUND.reads, "content": BLOCKS})
_TOOL_USE = _call(
    _shape("id caller cache_control", "name input toolset_name server_name"), "input", id="id"
)
_TOOL_RESULT = _result(
    _shape("tool_use_id is_error cache_control", "toolset_name", content=BLOCKS), "tool_use_id"
)
_TEXT = _shape("prompt_cache_breakpoint", "text")

_blocks |= {
    "text": replace(_shape(_KEPT, "text", citations=CITATION), derived={"citations": NoneType}),
    "thinking": replace(_shape("", "thinking", signature=CIPHER), kind="thinking", sealed=True),
    "redacted_thinking": OPAQUE,
    "tool_use": _TOOL_USE,
    "server_tool_use": _TOOL_USE,
    "mcp_tool_use": _TOOL_USE,
    "tool_result": _TOOL_RESULT,
    "mcp_tool_result": _TOOL_RESULT,
    "web_search_tool_result": _SERVER_RESULT,
    "web_fetch_tool_result": replace(_SERVER_RESULT, reads={**_RESULT.reads, "content": _FETCHED}),
    "code_execution_tool_result": _SERVER_RESULT,
    "bash_code_execution_tool_result": _SERVER_RESULT,
    "text_editor_code_execution_tool_result": _SERVER_RESULT,
    "tool_search_tool_result": _SERVER_RESULT,
    "document": _DOCUMENT,
    "search_result": _document(_shape("citations cache_control", "title source", content=BLOCKS)),
    "tool_reference": _shape("cache_control", "tool_name"),
    "browser_state": _shape(
        "cache_control",
        tabs=_shape("tab_id active", "title url"),
        state_changes=_shape("tab_id download_id size_bytes", "url path error"),
    ),
    "container_upload": _attached("container_upload", "file_id cache_control"),
    "image": _attached("image", "cache_control transformations", source=_SOURCE),
    "image_url": _attached("image_url", _KEPT, image_url=_shape("detail", url=DATA_URL)),
    "input_image": _attached("input_image", f"{_KEPT} detail file_id", image_url=DATA_URL),
    "input_audio": _attached("input_audio", _KEPT, input_audio=_shape("format", data=BASE64)),
    "file": _attached("file", _KEPT, file=_shape("file_id", "filename", file_data=BASE64)),
    "input_file": _attached(
        "input_file", f"{_KEPT} detail file_id", "filename file_url", file_data=BASE64
    ),
    "input_text": _TEXT,
    "output_text": replace(
        _shape("", "text", annotations=ANNOTATION, logprobs=Logprobs(of="text")),
        derived={"annotations": list, "logprobs": NoneType},
    ),
    "refusal": _shape("", "refusal"),
    "summary_text": _TEXT,
    "reasoning_text": _TEXT,
}

# OpenAI's messages and items.

FUNCTION = _call(_shape("", "name", arguments=JSON_TEXT), "arguments")
CHAT_MESSAGE = replace(
    _shape(
        "id role status phase tool_call_id",
        "name refusal",
        content=BLOCKS,
        tool_calls=Choice(
            ("type",),
            {
                # Whoever goes by the keys, and not by the type, would run the other call.
                "function": replace(
                    _shape("id index", function=FUNCTION), id="id", unreadable=frozenset({"custom"})
                ),
                "custom": replace(
                    _shape("id index", custom=_call(_shape("", "name input"), inputs=("input",))),
                    id="id",
                    unreadable=frozenset({"function"}),
                ),
            },
        ),
        function_call=FUNCTION,
        audio=replace(
            _attached("audio", "id expires_at", "transcript"), unreadable=frozenset({"data"})
        ),
        annotations=ANNOTATION,
    ),
    derived={"annotations": list},
)

_PRINTED = replace(
    _GIVEN,
    reads=Choice(
        ("type",), {"logs": _shape("", "logs"), "image": _attached("image", url=DATA_URL)}
    ),
)
"""What code that the provider has run wrote and drew."""

_CALL_FIELDS = "id call_id status caller async async_ namespace created_by"
ITEMS = Choice(
    ("type", "role"),
    {
        "message": CHAT_MESSAGE,
        "reasoning": replace(
            _shape("id status", summary=BLOCKS, content=BLOCKS),
            unreadable=frozenset({"encrypted_content"}),
            kind="thinking",
            role="assistant",
            sealed=True,
        ),
        "function_call": _call(
            _shape(_CALL_FIELDS, "name", arguments=JSON_TEXT), "arguments", id="call_id"
        ),
        "custom_tool_call": _call(
            _shape(_CALL_FIELDS, "name input"), inputs=("input",), id="call_id"
        ),
        "mcp_call": _call(
            _shape(
                _CALL_FIELDS + " approval_request_id",
                "name server_label error",
                arguments=JSON_TEXT,
                output=_GIVEN,
            ),
            "arguments",
        ),
        "function_call_output": _result(_shape(_CALL_FIELDS, output=BLOCKS), "call_id"),
        "custom_tool_call_output": _result(_shape(_CALL_FIELDS, output=BLOCKS), "call_id"),
        "web_search_call": _call(_shape(_CALL_FIELDS, "action"), "action", called="web_search"),
        "file_search_call": _call(
            _shape(_CALL_FIELDS, "queries", results=_GIVEN),
            inputs=("queries",),
            called="file_search",
        ),
        "code_interpreter_call": _call(
            _shape(_CALL_FIELDS + " container_id", "code", outputs=_PRINTED),
            inputs=("code",),
            called="code_interpreter",
        ),
        "image_generation_call": _attached(
            "image_generation_call",
            "id status action background output_format quality size",
            "revised_prompt",
            result=BASE64,
            error=_shape("code", "message"),
            svg_usage=USAGE,
        ),
        "computer_call_output": _result(
            _shape(
                _CALL_FIELDS,
                output=Choice(
                    ("type",),
                    {
                        "computer_screenshot": _attached(
                            "computer_screenshot", "detail file_id", image_url=DATA_URL
                        )
                    },
                ),
            ),
            "call_id",
        ),
    },
)

# What is sent: conversations and whole requests. The application's own words are context.

_OURS = As(role="system", target=False, reads=BLOCKS)
_SCHEMA = replace(_shape("name strict schema", "description"), role="system", target=False)
_SYSTEM = replace(CHAT_MESSAGE, role="system", target=False)
_TOOL = _result(CHAT_MESSAGE, "tool_call_id")
MESSAGES = Choice(
    ("type", "role"),
    {
        **ITEMS.shapes,
        "system": _SYSTEM,
        "developer": _SYSTEM,
        "user": replace(CHAT_MESSAGE, role="user"),
        "assistant": replace(CHAT_MESSAGE, role="assistant"),
        "tool": _TOOL,
        "function": replace(_TOOL, names="name"),
    },
    all_are="message",
)
REQUEST = _shape(
    "background betas cache_control container conversation frequency_penalty include inference_geo "
    "logit_bias logprobs max_completion_tokens max_output_tokens max_tokens max_tool_calls "
    "modalities model n parallel_tool_calls presence_penalty previous_response_id "
    "prompt_cache_key prompt_cache_retention reasoning reasoning_effort "
    "safety_identifier service_tier speed stop stop_sequences store stream stream_options "
    "temperature thinking thread timeout tool_choice top_k top_logprobs top_p truncation user "
    "verbosity",
    seed=SEED,
    messages=MESSAGES,
    input=MESSAGES,
    system=_OURS,
    instructions=_OURS,
    response_format=_shape(json_schema=_SCHEMA),
    output_config=_shape("effort", format=_SCHEMA),
    text=_shape("verbosity", format=_SCHEMA),
    tools=replace(_OURS, reads=FREE),
    functions=replace(_OURS, reads=FREE),
)

# Whole replies, as the SDKs return them.

_ECHOED = frozenset({"instructions", "metadata", "prompt", "text", "tool_choice", "tools", "user"})
"""The application's own words, as the request said them: whoever has the request at hand holds them
against it (`asked`)."""

ANTHROPIC_MESSAGE = _shape(
    "id container context_management diagnostics model role stop_reason",
    "stop_sequence",
    usage=USAGE,
    content=BLOCKS,
    stop_details=_shape("category", "explanation"),
)
CHAT_COMPLETION = replace(
    _shape(
        "id object created model moderation system_fingerprint service_tier",
        usage=USAGE,
        choices=replace(
            _shape("index finish_reason", "text", message=CHAT_MESSAGE, logprobs=Logprobs()),
            derived={"logprobs": NoneType},
        ),
    ),
    silent=_ECHOED & {"metadata"},
)
RESPONSE = replace(
    _shape(
        # What the request said comes back beside the answer.
        "background conversation include input_transformations max_output_tokens max_tool_calls "
        "previous_response_id prompt_cache_key prompt_cache_options prompt_cache_retention "
        "reasoning safety_identifier store temperature top_logprobs top_p truncation "
        "parallel_tool_calls image "
        # What the provider says of it.
        "access_programs completed_at created_at id incomplete_details model moderation object "
        "prompt_cache_diagnostics service_tier status tool_usage",
        usage=USAGE,
        output=ITEMS,
        error=_shape("code", "message"),
    ),
    silent=_ECHOED,
)

_REPLIES: Mapping[tuple[str, str], Shape] = {
    ("anthropic", "Message"): ANTHROPIC_MESSAGE,
    ("anthropic", "BetaMessage"): ANTHROPIC_MESSAGE,
    ("openai", "ChatCompletion"): CHAT_COMPLETION,
    ("openai", "ChatCompletionMessage"): CHAT_MESSAGE,
    ("openai", "Response"): RESPONSE,
}


@lru_cache(maxsize=1024)
def sdk_kind(cls: type) -> tuple[str, str] | None:
    """The SDK and the name of a reply's class, by what it and its parents are called, so that no
    SDK is imported."""
    for parent in cls.__mro__:
        named = (parent.__module__.partition(".")[0], parent.__name__)
        if named in _REPLIES:
            return named
    return None


@lru_cache(maxsize=1024)
def sdk_reads(cls: type) -> Reads:
    """How to read an object of a class: as the SDK's it is, else freely."""
    kind = sdk_kind(cls)
    if kind is not None:
        return _REPLIES[kind]
    if cls.__module__.startswith("anthropic.") and cls.__name__.endswith("Block"):
        return BLOCKS
    return FREE
