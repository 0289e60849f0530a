"""What `POST /v1/check` is asked: read strictly, and everything that is wrong told at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guardrails.asgi.shapes import misshapen
from guardrails.errors import WireFormatError
from guardrails.proxy.answers import RefusedError
from guardrails.wire.strict_json import parse_json

__all__ = ["Question", "Tool", "read_question"]

Short = Annotated[str, Field(min_length=1, max_length=256)]


class Tool(BaseModel):
    """A call that a model wants to make, before it is made."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=256)]
    arguments: dict[str, Any] | str = Field(
        default_factory=dict, description="An object, or the JSON that the model wrote."
    )


class Question(BaseModel):
    """What is to be judged. One of `text`, `messages` and `tool`: a text, a conversation as a
    provider takes it, whose system text is context and not judged, or a tool's call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = Field(None, description="What is judged.")
    messages: list[dict[str, Any]] | None = Field(
        None, description="A conversation, judged at the stage `input`.", min_length=1
    )
    tool: Tool | None = Field(None, description="A call, judged at the stage `tool_call`.")
    stage: Literal["input", "output", "tool_call", "tool_result", "retrieval"] | None = Field(
        None, description="Of a `text`: `output` unless said. The others have a stage of their own."
    )
    prompt: str | list[dict[str, Any]] | None = Field(
        None,
        description="What the text answers, or what led to the call: a text, or the conversation. "
        "Only helps to judge. Rules of what may not flow into a tool look at the results in it.",
    )
    constitution: Short | None = Field(
        None, description="One of those that the proxy serves; without it, the first."
    )
    session: Short | None = None
    subject: Short | None = None
    language: Annotated[str, Field(max_length=35)] | None = None
    attributes: Annotated[dict[str, str | list[str]], Field(max_length=50)] = Field(
        default_factory=dict
    )

    @property
    def own_stage(self) -> str:
        if self.tool is not None:
            return "tool_call"
        return "input" if self.messages is not None else self.stage or "output"


STAGES = "input, output, tool_call, tool_result, retrieval"
A_NAME = "a text of 1 to 256 characters"
EXPECTED: Mapping[str, str] = {
    "text": "a text",
    "messages": "a list of messages, each an object with role and content",
    "tool": "an object with name and arguments",
    "tool.name": A_NAME,
    "tool.arguments": "an object, or a text that holds one as JSON",
    "stage": f"one of {STAGES}",
    "prompt": "a text, or a list of messages",
    "constitution": A_NAME,
    "session": A_NAME,
    "subject": A_NAME,
    "language": "a text of at most 35 characters, such as 'en'",
    "attributes": "an object of at most 50 texts or lists of texts",
}
"""What stands where, in the words of an error."""

MOST_TOLD, LONGEST_GUESSED = 20, 40
"""Comparing names takes the square of their length."""


def read_question(body: bytes) -> Question:
    """Raises RefusedError that says all that is wrong and where, and nothing that stood there."""
    try:
        document = parse_json(body)
    except WireFormatError as error:
        raise RefusedError(400, "question", f"the body cannot be read: {error}") from None
    try:
        question = Question.model_validate(document)
    except ValidationError as error:
        raise RefusedError(400, "question", _wrong(error)) from None
    told = [*_unfit(question)]
    if told:
        raise RefusedError(400, "question", "; ".join(told))
    return question


def _unfit(question: Question) -> Iterator[str]:
    """What does not go together."""
    given = [name for name in ("text", "messages", "tool") if getattr(question, name) is not None]
    if len(given) != 1:
        found = f"found {' and '.join(given)}" if given else "found none of them"
        yield f"expected one of text, messages and tool; {found}"
        return
    if question.stage is not None and given != ["text"] and question.stage != question.own_stage:
        yield f"stage: what stands under {given[0]} is judged at {question.own_stage}; leave it out"
    if question.messages is not None and question.prompt is not None:
        yield "prompt: goes with text or tool; messages hold all that was said"
    for name in ("messages", "prompt"):
        said = getattr(question, name)
        wrong = misshapen({"input": said}, "input") if isinstance(said, list) else None
        if wrong is not None:
            yield wrong.replace("input", name, 1)


def _wrong(error: ValidationError) -> str:
    """By fields: keys of others are the client's own."""
    told: dict[str, None] = {}
    items = error.errors(include_input=False, include_url=False, include_context=False)
    for item in items[:MOST_TOLD]:
        place = [str(step) for step in item["loc"][:2]]
        name = next((n for n in (".".join(place), *place[:1]) if n in EXPECTED), None)
        if item["type"] == "extra_forbidden" or name is None:
            within = "tool: " if place[:1] == ["tool"] and name == "tool" else ""
            told[f"{within}{_unknown(item['loc'], within)}"] = None
        elif item["type"] == "missing":
            told[f"{name}: missing; expected {EXPECTED[name]}"] = None
        else:
            told[f"{name}: expected {EXPECTED[name]}"] = None
    return "; ".join(told)


def _unknown(place: Sequence[int | str], within: str) -> str:
    if not place:
        return "expected a JSON object"
    known = [*(Tool if within else Question).model_fields]
    meant = get_close_matches(str(place[-1])[:LONGEST_GUESSED], known, n=1)
    hint = f"did you mean {meant[0]!r}?" if meant else f"expected some of {', '.join(known)}"
    return f"an unknown field; {hint}"
