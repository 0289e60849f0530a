"""`constitution check TEXT`: judge one text and tell what was found in it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from guardrails.cli.documents import decision_document
from guardrails.cli.outcome import Status, of_decision
from guardrails.cli.reading import InputError, Row, as_row, read_argument, read_text
from guardrails.cli.render import decision
from guardrails.cli.screen import Screen, colourful, fail, show, write_json
from guardrails.errors import AuditError
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.verdict import Decision, Stage

__all__ = ["STANDARD_INPUT", "Question", "check_text", "judge", "opened", "said"]

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
    try:
        made = asyncio.run(_alone(guard, row, question.context))
    except AuditError as error:
        return fail("audit", error, status=Status.UNSETTLED, as_json=question.as_json)
    status = of_decision(made)
    if question.as_json:
        write_json(decision_document(made, status=int(status)))
    else:
        texts = {index: part.text for index, part in enumerate(row.parts)}
        show(decision(made, texts, colour=colourful(Screen())))
    return status


async def judge(guard: Guard, row: Row, context: Context) -> Decision:
    """What the guard says of a row. Raises AuditError if it cannot be put on record."""
    return await guard.check(row.parts, stage=row.stage, context=context)


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
