"""`constitution demo`: one assistant, three constitutions, and the proof of what was decided.

The assistant is `examples/assistant.py`; a wheel carries it beside this module.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from guardrails.audit.verify import Report, verify
from guardrails.cli.documents import decision_document, document
from guardrails.cli.outcome import Status
from guardrails.cli.render import Texts, headline, plain, why
from guardrails.cli.screen import Screen, colourful, show, write_json
from guardrails.cli.trail import verification
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.verdict import Decision, Verdict

__all__ = ["show_demo"]

EXAMPLE = "assistant.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What became of one question under one constitution: a decision for each stage reached."""

    constitution: str
    decisions: Sequence[Decision]
    delivered: str

    @property
    def verdict(self) -> Verdict:
        return max(decision.verdict for decision in self.decisions)


def show_demo(*, as_json: bool) -> int:
    """Hold the conversations, show what was decided, and verify the record of it."""
    example = _example()
    with TemporaryDirectory(prefix="constitution-demo-") as folder:
        settings = Settings(
            audit=str(Path(folder, "audit.db")), audit_anchor=Path(folder, "anchor")
        )
        held = asyncio.run(_hold(example, settings))
        report = verify(
            Path(folder, "audit.db"), key=settings.key_path, anchor=settings.audit_anchor
        )
    if as_json:
        write_json(_document(example, held, report))
    else:
        show(*_story(example, held, report))
    return Status.FINE if report.ok else Status.INTERVENED


def _example() -> ModuleType:
    """The assistant's module, from the wheel or from the checkout that this one stands in."""
    carried = Path(__file__).with_name(EXAMPLE)
    file = carried if carried.exists() else Path(__file__).parents[2] / "examples" / EXAMPLE
    spec = importlib.util.spec_from_file_location("guardrails_demo_assistant", file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def _hold(example: ModuleType, settings: Settings) -> list[list[Turn]]:
    """Each conversation under each constitution."""
    turns: list[list[Turn]] = [[] for _ in example.CONVERSATIONS]
    for name in example.CONSTITUTIONS:
        made: list[Decision] = []
        async with Guard.load(name, offline=True, settings=settings) as guard:
            answer = example.assistant(guard, on_decision=made.append)
            for conversation, under in zip(example.CONVERSATIONS, turns, strict=True):
                made.clear()
                delivered = await answer(conversation.question)
                under.append(Turn(constitution=name, decisions=(*made,), delivered=delivered))
    return turns


def _document(example: ModuleType, held: list[list[Turn]], report: Report) -> dict[str, Any]:
    return {
        "conversations": [
            {
                **conversation._asdict(),
                "turns": [
                    {
                        "constitution": turn.constitution,
                        "verdict": str(turn.verdict),
                        "delivered": turn.delivered,
                        "decisions": [decision_document(made) for made in turn.decisions],
                    }
                    for turn in turns
                ],
            }
            for conversation, turns in zip(example.CONVERSATIONS, held, strict=True)
        ],
        "audit": {"ok": report.ok, **document(report)},
    }


def _story(example: ModuleType, held: list[list[Turn]], report: Report) -> Iterator[RenderableType]:
    names = ", ".join(example.CONSTITUTIONS)
    yield Text.assemble(
        "One assistant with a scripted model, held to ", (names, "bold"), ": no key, no network."
    )
    for conversation, turns in zip(example.CONVERSATIONS, held, strict=True):
        yield Padding(Rule(Text(conversation.title, "bold"), align="left"), (1, 0, 0, 0))
        yield _said(conversation.question, conversation.answer)
        yield from _turns(turns, {0: conversation.question, 1: conversation.answer})
    yield Padding(Rule(Text("The record", "bold"), align="left"), (1, 0, 0, 0))
    yield verification(report)
    yield _not_judged(held)


def _said(question: str, answer: str) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_row("asked", plain(question))
    table.add_row("model", plain(answer))
    return table


def _turns(turns: Sequence[Turn], texts: Texts) -> Iterator[RenderableType]:
    """The constitutions that let it pass on one line, each other one with its reasons."""
    passed = [turn.constitution for turn in turns if turn.verdict is Verdict.ALLOW]
    if passed:
        line = Text.assemble((" ALLOW ", "bold green reverse"), f" unchanged: {', '.join(passed)}")
        yield Padding(line, (1, 0, 0, 0))
    for turn in turns:
        if turn.verdict is not Verdict.ALLOW:
            yield Padding(_turn(turn, texts), (1, 0, 0, 0))


def _turn(turn: Turn, texts: Texts) -> Group:
    made = max(turn.decisions, key=lambda decision: decision.verdict)
    colour = colourful(Screen())
    blocks = [Padding(block, (0, 0, 0, 2)) for block in why(made, texts, colour=colour)]
    return Group(headline(made), *blocks)


def _not_judged(held: list[list[Turn]]) -> Text:
    made = (decision for turns in held for turn in turns for decision in turn.decisions)
    left = {principle for decision in made for principle in decision.coverage.uncovered}
    return plain(
        f"{len(left)} principles need a judging model and were not judged here; "
        f"`constitution check` lists them.",
        "yellow",
    )
