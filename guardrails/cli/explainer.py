"""`constitution explain`: who saw what in a text or a tool call, what that settled, what is left to
a judge."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from guardrails.authoring.explain import Explanation, Heard, Note, Question, Standing, explain
from guardrails.cli.check import CallQuestion, call_row, said, texts_of
from guardrails.cli.documents import decision_document, document
from guardrails.cli.marks import draw, shorten
from guardrails.cli.outcome import Status
from guardrails.cli.reading import InputError, as_row, read_argument
from guardrails.cli.render import MARKS, decision, plain
from guardrails.cli.screen import Screen, colourful, show, write_json
from guardrails.constitution.load import load_constitution
from guardrails.constitution.model import Constitution, Example
from guardrails.critic.registry import CriticRegistry
from guardrails.display.pieces import marked
from guardrails.display.visible import visible
from guardrails.errors import WireFormatError
from guardrails.exchange import Context
from guardrails.settings import load_settings
from guardrails.verdict import Stage

__all__ = ["explain_text"]

STATES = {
    "breach": ("breached", "bold red"),
    "undecided": ("in doubt", "bold magenta"),
    "open": ("open", "yellow"),
    "passed": ("passed", "green"),
    "moot": ("moot", "dim"),
    "not_for_caller": ("not for this caller", "dim"),
}
VALUES = {"breach": "breach", "look": "look", "undecided": "in doubt", "excepted": "excepted"}


def explain_text(
    name: str,
    *,
    text: str | None,
    file: Path | None,
    prompt: str | None,
    stage: Stage,
    context: Context,
    as_json: bool,
    call: CallQuestion | None = None,
) -> int:
    """Explain what a constitution makes of a text, or of a call, without any model and without a
    record.

    The status is 0 whatever the verdict. Raises ConstitutionError and InputError.
    """
    constitution = load_constitution(
        name, catalogue=CriticRegistry(), folder=load_settings().constitutions
    )
    max_chars = constitution.budget.max_chars
    if call is not None:
        row = call_row(call, max_chars=max_chars)
    else:
        given = said(text, file, max_chars=max_chars)
        before = None if prompt is None else read_argument(prompt, "the prompt")
        row = as_row(given, stage=stage, prompt=before)
    try:
        found = asyncio.run(
            explain(constitution, row.parts, stage=row.stage, context=context, call=row.call)
        )
    except WireFormatError as error:
        raise InputError(f"the call cannot be read: {error}") from None
    if as_json:
        decided = decision_document(found.decision)
        write_json({**document(found), "decision": decided, "status": int(Status.FINE)})
    else:
        show(*_blocks(found, constitution, texts_of(row)))
    return Status.FINE


def _blocks(
    found: Explanation, constitution: Constitution, texts: dict[int, str]
) -> Iterator[RenderableType]:
    colour = colourful(Screen())
    pin = f"{constitution.id} {constitution.version} · {found.stage}"
    yield Text(visible(pin), "bold")
    yield from _section("What critics see", list(_seen(found)))
    for tier, heard in groupby(found.heard, key=lambda one: one.tier):
        lines = [line for one in heard for line in _heard(one, texts, colour)]
        yield from _section(f"Tier: {tier}", lines)
    yield from _section("Principles", [_standing(one) for one in found.principles])
    count = len(found.questions)
    head = f"A judge would be asked about {count} of them, in this order" if count else ""
    yield from _section(head, [line for one in found.questions for line in _question(one)])
    yield from _section("What follows without a judge", [])
    yield decision(found.decision, texts, colour=colour)


def _section(head: str, lines: Sequence[RenderableType]) -> Iterator[RenderableType]:
    if head:
        yield Padding(Text(head, "bold underline"), (1, 0, 0, 0))
        yield Padding(Group(*lines), (0, 0, 0, 2))


def _seen(found: Explanation) -> Iterator[Text]:
    same = sum(seen.normalised == seen.original for seen in found.seen)
    if same:
        told = "the text as it came" if same == 1 else f"{same} texts as they came"
        yield Text(told, "dim")
    for seen in found.seen:
        if seen.normalised != seen.original:
            yield Text("normalised: ", "yellow").append_text(plain(seen.normalised))
        if seen.for_models is not None and seen.for_models != seen.normalised:
            yield Text("a judge: ", "yellow").append_text(plain(seen.for_models))
    if not found.seen:
        yield Text("nothing to judge", "dim")


def _heard(one: Heard, texts: dict[int, str], colour: bool) -> Iterator[RenderableType]:
    count = len(one.asked)
    line = Text.assemble((visible(one.critic), "bold"), (f"  asked about {count}", "dim"))
    if one.failed:
        line.append(f"  failed: {one.failed}", "bold red")
    elif not one.notes and not one.passed:
        line.append("  nothing found", "green")
    if one.passed:
        line.append(visible(f"  passes {', '.join(one.passed)}"), "green")
    yield line
    for note in one.notes:
        yield Padding(Group(*_note(note, texts, colour)), (0, 0, 0, 2))


def _note(note: Note, texts: dict[int, str], colour: bool) -> Iterator[RenderableType]:
    mark = MARKS.get(note.value, MARKS["look"])
    line = Text.assemble((VALUES[note.value], mark), " ", (visible(note.principle), "bold"), "  ")
    yield line.append_text(plain(note.reason, "italic"))
    if note.part is not None and note.span is not None and note.part in texts:
        pieces = shorten(marked(texts[note.part], [note.span]))
        yield Padding(draw(pieces, colour=colour, mark=mark), (0, 0, 0, 2))
    for because in note.because:
        told = Text(f"  {because.kind} ", "dim").append_text(plain(because.source))
        yield told.append(visible(f"  {because.place}"), "dim")


def _standing(one: Standing) -> Text:
    word, style = STATES[one.state]
    by = f" by {', '.join(one.by)}" if one.by else ""
    if one.state == "open":
        by = f" for {', '.join(one.by)}" if one.by else ""
    if one.look:
        by += ", worth a look"
    line = Text.assemble((visible(one.principle), "bold"), "  ", (word, style))
    line.append(visible(by), style)
    return line.append(visible(f"  {one.origin}"), "dim")


def _question(one: Question) -> Iterator[RenderableType]:
    yield Text(visible(one.principle), "bold")
    facts = {"": one.text, "breach: ": one.breach, "no breach: ": one.not_breach}
    lines = [plain(f"{key}{said}") for key, said in facts.items() if said]
    for word, examples in (("breaches", one.breach_examples), ("is fine", one.fine_examples)):
        lines += [plain(f"{word}: {_example(example)}", "dim") for example in examples]
    yield Padding(Group(*lines), (0, 0, 0, 2))


def _example(example: Example) -> str:
    return example.reply if example.prompt is None else f"{example.prompt} → {example.reply}"
