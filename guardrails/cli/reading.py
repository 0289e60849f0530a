"""Texts and tool calls from arguments, files and standard input: bounded, UTF-8, every fault with
its place."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from guardrails.errors import GuardrailsError
from guardrails.exchange import Kind, Part, Role
from guardrails.guard.content import ToolCall
from guardrails.verdict import Stage

__all__ = [
    "BadLine",
    "InputError",
    "Row",
    "as_call",
    "as_row",
    "read_argument",
    "read_json",
    "read_rows",
    "read_text",
]

BYTES_PER_CHARACTER = 4  # the most that UTF-8 takes
ESCAPED_BYTES_PER_CHARACTER = 12  # the most that JSON takes: a pair of \uXXXX
ROOM_FOR_KEYS = 65_536  # bytes of a line that are not its texts
CHUNK = 1 << 16

ANSWERS = ("reply", "response")
EXPECTED = "'reply', 'text', 'prompt', 'messages' or 'tool'"
WAYS: Mapping[Stage, tuple[Role, Kind]] = {
    Stage.INPUT: ("user", "text"),
    Stage.OUTPUT: ("assistant", "text"),
    Stage.TOOL_CALL: ("assistant", "tool_call"),
    Stage.TOOL_RESULT: ("tool", "tool_result"),
    Stage.RETRIEVAL: ("tool", "document"),
}
ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_KINDS: Mapping[Role, Kind] = {
    "system": "text",
    "user": "text",
    "assistant": "text",
    "tool": "tool_result",
}
STAGES: Mapping[Role, Stage] = {
    "system": Stage.INPUT,
    "user": Stage.INPUT,
    "assistant": Stage.OUTPUT,
    "tool": Stage.TOOL_RESULT,
}


class InputError(GuardrailsError):
    """What was given to judge cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Something to judge. `number` is its line, 0 for a single text. Of a tool call the parts are
    what came before it; with none, nobody said what did."""

    number: int = 0
    id: str | int | None = None
    stage: Stage
    parts: tuple[Part, ...] = field(repr=False)
    call: ToolCall | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that cannot be judged, and why."""

    number: int
    problem: str


def as_row(text: str, *, stage: Stage, prompt: str | None = None) -> Row:
    """A text to judge at a stage, after its prompt if there is one."""
    role, kind = WAYS[stage]
    before = [] if prompt is None else [Part(text=prompt, role="user", target=False)]
    return Row(stage=stage, parts=(*before, Part(text=text, role=role, kind=kind)))


def as_call(
    name: str,
    arguments: object,
    *,
    prompt: str | None = None,
    results: Iterable[tuple[str, str]] = (),
) -> Row:
    """A tool call to judge, after its prompt and what tools gave back, if somebody says so."""
    asked = [] if prompt is None else [Part(text=prompt, role="user", target=False)]
    given = [
        Part(text=text, role="tool", kind="tool_result", name=tool, target=False)
        for tool, text in results
    ]
    call = ToolCall(name, arguments)
    return Row(stage=Stage.TOOL_CALL, parts=(*asked, *given), call=call)


def read_json(text: str, name: str) -> str:
    """JSON from the command line, as it was typed, for a tool gets it so. Raises InputError for
    what is none, which is a slip here and no model's."""
    read_argument(text, name)
    try:
        json.loads(text or "{}")
    except json.JSONDecodeError as error:
        hint = 'quote it for your shell, as \'{"to": "ann@example.com"}\''
        raise InputError(
            f"{name}: not JSON: {error.msg} at character {error.pos}; {hint}"
        ) from None
    except (RecursionError, ValueError):
        pass  # the guard says what it makes of it
    return text


def read_argument(text: str, name: str) -> str:
    """A text from the command line. Raises InputError if it was not typed as UTF-8."""
    try:
        text.encode("utf-8", "strict")
    except UnicodeEncodeError as error:
        raise InputError(f"{name} is not UTF-8 (at character {error.start})") from None
    return text


def read_text(source: BinaryIO, name: str, *, max_chars: int) -> str:
    """A whole text, without a byte order mark. Of one that is too long, one character more than
    `max_chars`: enough to be refused, and no more is read. Raises InputError."""
    limit = len(codecs.BOM_UTF8) + BYTES_PER_CHARACTER * (max_chars + 1)
    try:
        data = source.read(limit)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from None
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(data, final=len(data) < limit)
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8: byte {error.start} cannot be read") from None
    return text.removeprefix("\ufeff")[: max_chars + 1]


def read_rows(
    source: BinaryIO, *, stage: Stage | None = None, max_chars: int
) -> Iterator[Row | BadLine]:
    """The rows of a JSONL file, one by one; blank lines are passed over.

    A row is an object with `reply` (or `response`) or `text`, perhaps with `prompt`, `stage` and
    `id`; or with `prompt` alone; or with `messages`; or with `tool: {name, arguments}`, a call,
    perhaps with `prompt` and `results`, by tool. `stage` is for rows that name none; without
    either, a reply is judged as output, a text or prompt as input, messages by their last one, a
    call as one. At the stage `input` a row with prompt and reply is judged by its prompt. Other
    keys are ignored.
    """
    limit = ESCAPED_BYTES_PER_CHARACTER * 2 * max_chars + ROOM_FOR_KEYS
    for number, line in enumerate(_lines(source, limit), start=1):
        if line is None:
            yield BadLine(number=number, problem=f"longer than {limit:,} bytes")
            continue
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield _row(number, line, stage)


def _lines(source: BinaryIO, limit: int) -> Iterator[bytes | None]:
    """Lines of at most `limit` bytes; None in place of a longer one, which is never held whole."""
    while line := _line(source, limit):
        if line.endswith(b"\n") or len(line) < limit:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = _line(source, CHUNK)
        yield None


def _line(source: BinaryIO, limit: int) -> bytes:
    try:
        return source.readline(limit)
    except OSError as error:
        raise InputError(f"the rows cannot be read: {error.strerror}") from None


def _row(number: int, line: bytes, stage: Stage | None) -> Row | BadLine:
    try:
        value = json.loads(
            line.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant
        )
        return _judgeable(number, value, stage)
    except UnicodeDecodeError as error:
        problem = f"not UTF-8: byte {error.start} of the line cannot be read"
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg} at character {error.pos}"
    except InputError as error:
        problem = str(error)
    except RecursionError:
        problem = "not usable JSON: nested too deeply"
    except ValueError:
        problem = "not usable JSON: a number with too many digits"
    return BadLine(number=number, problem=problem)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InputError("an object has the same key twice; keep one of them")
    return found


def _no_constant(name: str) -> Any:
    raise InputError(f"not JSON: {name} is no JSON value")


def _judgeable(number: int, value: object, stage: Stage | None) -> Row:
    if not isinstance(value, dict):
        raise InputError(f"not an object; expected one with {EXPECTED}")
    given = {key: item for key, item in value.items() if item is not None}
    name = given.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int | None):
        raise InputError("'id' must be a string or a whole number")
    named = _stage(given["stage"]) if "stage" in given else stage
    return replace(_read(given, named), number=number, id=name)


def _read(given: Mapping[str, Any], stage: Stage | None) -> Row:
    """What of a row is judged, and at which stage if none was named."""
    keys = [key for key in (*ANSWERS, "text", "messages", "tool") if key in given]
    if len(keys) > 1:
        raise InputError(f"{keys[0]!r} and {keys[1]!r} both say what to judge; keep one")
    prompt = _text(given, "prompt") if "prompt" in given else None
    match keys:
        case ["messages"] if prompt is None:
            return _conversation(given["messages"], stage)
        case ["messages"]:
            raise InputError("'prompt' beside 'messages'; make it one of them")
        case ["tool"]:
            return _call(given, prompt, stage)
        case ["text"]:
            return as_row(_text(given, "text"), stage=stage or Stage.INPUT, prompt=prompt)
        case [key] if prompt is None or stage is not Stage.INPUT:
            return as_row(_text(given, key), stage=stage or Stage.OUTPUT, prompt=prompt)
        case _ if prompt is not None:
            return as_row(prompt, stage=stage or Stage.INPUT)
    raise InputError(f"nothing to judge; expected {EXPECTED}")


def _call(given: Mapping[str, Any], prompt: str | None, stage: Stage | None) -> Row:
    """A call with the keys that a test in a constitution has. Its results say that it is all."""
    tool, results = given["tool"], given.get("results", {})
    if stage not in (None, Stage.TOOL_CALL):
        raise InputError(f"'tool' is a call, which is not judged at the stage {str(stage)!r}")
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        raise InputError("'tool' must be an object with 'name', and perhaps 'arguments'")
    if tool.keys() - {"name", "arguments"}:  # a misspelt one would be a call without arguments
        raise InputError("'tool' has another key; expected 'name' and 'arguments'")
    if not isinstance(results, dict) or not all(isinstance(t, str) for t in results.values()):
        raise InputError("'results' must be an object of strings, by the tool that gave them")
    if prompt is None and "results" in given:
        prompt = ""
    return as_call(tool["name"], tool.get("arguments", {}), prompt=prompt, results=results.items())


def _conversation(messages: object, stage: Stage | None) -> Row:
    """The messages of the stage's roles are judged (all of them: nothing says that any was judged
    before), the others are context. The stage is that of the last message unless named."""
    if not isinstance(messages, list) or not messages:
        raise InputError("'messages' must be a list with at least one message")
    parts = [_message(index, message) for index, message in enumerate(messages)]
    at = stage or STAGES[parts[-1].role]
    aimed = tuple(replace(part, target=STAGES[part.role] is at) for part in parts)
    if not any(part.target for part in aimed):
        raise InputError(f"none of the 'messages' belongs to the stage {str(at)!r}")
    return Row(stage=at, parts=aimed)


def _message(index: int, message: object) -> Part:
    where = f"messages[{index}]"
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise InputError(f"{where} must be an object with 'role' and 'content'")
    role: Role | None = ROLES.get(message["role"])
    if role is None:
        raise InputError(f"{where}.role must be one of {', '.join(ROLES)}")
    return Part(text=_content(where, message.get("content")), role=role, kind=_KINDS[role])


def _content(where: str, content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else [None]
    texts = [
        block["text"]
        for block in blocks
        if isinstance(block, dict)
        and block.get("type") == "text"
        and isinstance(block.get("text"), str)
    ]
    if len(texts) < len(blocks):
        raise InputError(f"{where}.content must be a string or a list of blocks of text")
    return "\n".join(texts)


def _text(given: Mapping[str, Any], key: str) -> str:
    if not isinstance(given[key], str):
        raise InputError(f"{key!r} must be a string")
    return str(given[key])


def _stage(name: object) -> Stage:
    try:
        return Stage(name)  # type: ignore[arg-type]  # anything but a stage's name is refused
    except ValueError:
        raise InputError(f"'stage' must be one of {', '.join(Stage)}") from None
