"""`constitution check TEXT`, or `--tool NAME`: judge one text or one tool call, and tell what was
found in it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from guardrails.cli.documents import decision_document
from guardrails.cli.outcome import Status, of_decision
from guardrails.cli.reading import (
    InputError,
    Row,
    as_call,
    as_row,
    read_argument,
    read_json,
    read_text,
)
from guardrails.cli.render import decision
from guardrails.cli.screen import Screen, colourful, fail, show, write_json
from guardrails.errors import AuditError, WireFormatError
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.guard.content import read_content
from guardrails.verdict import Decision, Stage

__all__ = [
    "STANDARD_INPUT",
    "CallQuestion",
    "Question",
    "call_row",
    "check_call",
    "check_text",
    "judge",
    "opened",
    "said",
    "texts_of",
]

STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How texts are to be judged. Without a stage, what is given says it."""

    constitution: str
    offline: bool
    stage: Stage | None
    context: Context
    as_json: bool


def check_text(
    question: Question, *, text: str | None, file: Path | None, prompt: str | None
) -> int:
    """Judge the argument `text`, or what the file or standard input (`-`) holds: a reply unless
    the question names another stage."""
    if prompt is not None:
        prompt = read_argument(prompt, "the prompt")
    guard = Guard.load(question.constitution, offline=question.offline)
    given = said(text, file, max_chars=guard.constitution.budget.max_chars)
    row = as_row(given, stage=question.stage or Stage.OUTPUT, prompt=prompt)
    return _told(question, guard, row)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuestion:
    """A tool call as it is typed. `arguments` are JSON, `-` is standard input; `results` pairs of
    a tool and what it gave back."""

    name: str
    arguments: str | None = None
    prompt: str | None = None
    results: tuple[tuple[str, str], ...] = ()


def check_call(question: Question, asked: CallQuestion) -> int:
    """Judge a call as `Guard.check_tool_call` does."""
    guard = Guard.load(question.constitution, offline=question.offline)
    row = call_row(asked, max_chars=guard.constitution.budget.max_chars)
    return _told(question, guard, row)


def call_row(asked: CallQuestion, *, max_chars: int) -> Row:
    """The call that is typed. Raises InputError."""
    results = [(tool, read_argument(text, f"--result {tool}")) for tool, text in asked.results]
    prompt = None if asked.prompt is None else read_argument(asked.prompt, "the prompt")
    name, given = read_argument(asked.name, "--tool"), asked.arguments or "{}"
    if given == STANDARD_INPUT:
        given = said(given, None, max_chars=max_chars)
    return as_call(name, read_json(given, "--arguments"), prompt=prompt, results=results)


def _told(question: Question, guard: Guard, row: Row) -> int:
    try:
        made = asyncio.run(_alone(guard, row, question.context))
    except AuditError as error:
        return fail("audit", error, status=Status.UNSETTLED, as_json=question.as_json)
    status = of_decision(made)
    if question.as_json:
        write_json(decision_document(made, status=int(status)))
    else:
        show(decision(made, texts_of(row), colour=colourful(Screen())))
    return status


async def judge(guard: Guard, row: Row, context: Context) -> Decision:
    """What the guard says of a row. Raises AuditError if it cannot be put on record."""
    if (call := row.call) is not None:
        before = row.parts or None
        return await guard.check_tool_call(
            call.name, call.arguments, prompt=before, context=context
        )
    return await guard.check(row.parts, stage=row.stage, context=context)


def texts_of(row: Row) -> dict[int, str]:
    """The texts that findings point into."""
    parts = row.parts
    if row.call is not None:
        with suppress(WireFormatError):  # then nothing was judged
            parts += asyncio.run(read_content(row.call, Stage.TOOL_CALL)).parts
    return {index: part.text for index, part in enumerate(parts)}


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """A file, or standard input for `-`. Raises InputError."""
    if str(file) == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    try:
        source = file.open("rb")
    except OSError as error:
        raise InputError(f"{str(file)!r} cannot be read: {error.strerror}") from None
    with source:
        yield source


def said(text: str | None, file: Path | None, *, max_chars: int) -> str:
    """The text of an argument, a file or standard input (`-`). Raises InputError."""
    if text is not None and text != STANDARD_INPUT:
        return read_argument(text, "the text")
    place = file or Path(STANDARD_INPUT)
    name = "standard input" if str(place) == STANDARD_INPUT else repr(str(place))
    with opened(place) as source:
        return read_text(source, name, max_chars=max_chars)


async def _alone(guard: Guard, row: Row, context: Context) -> Decision:
    try:
        return await judge(guard, row, context)
    finally:
        await guard.aclose()
