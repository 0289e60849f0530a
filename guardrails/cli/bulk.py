"""`constitution check --jsonl FILE`: judge every row, tell of each that matters, sum up."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from guardrails.cli.check import Question, judge, opened
from guardrails.cli.documents import decision_document
from guardrails.cli.outcome import Status, of_all, of_decision
from guardrails.cli.reading import BadLine, Row, read_rows
from guardrails.cli.render import COLOURS, plain
from guardrails.cli.screen import Screen, fail, show, write_json
from guardrails.display.visible import visible
from guardrails.errors import AuditError
from guardrails.guard import Guard
from guardrails.verdict import Decision, Verdict

__all__ = ["check_rows"]

AHEAD = 32
"""Rows of a file that are judged at once, so that their records share commits. From a pipe they
are judged one by one: each is answered before the next is waited for."""

MOST_PRINCIPLES = 12

Answer = Callable[[Row | BadLine], Coroutine[None, None, Decision | None]]


class Report(Protocol):
    """Takes what became of each line, in order."""

    def bad(self, line: BadLine) -> None: ...
    def judged(self, row: Row, made: Decision) -> None: ...
    def finish(self) -> None: ...


def check_rows(question: Question, *, file: Path) -> int:
    """Judge a JSONL file row by row; `-` is standard input. A broken line costs that line only."""
    guard = Guard.load(question.constitution, offline=question.offline)
    with opened(file) as source, _progress(source) as bar:
        report: Report = RowDocuments() if question.as_json else Summary(bar)
        rows = read_rows(
            source, stage=question.stage, max_chars=guard.constitution.budget.max_chars
        )
        counted = _advancing(rows, source, bar)
        ahead = AHEAD if _size(source) else 1
        try:
            statuses = asyncio.run(_run(guard, question, counted, report, ahead))
        except AuditError as error:
            return fail("audit", error, status=Status.UNSETTLED, as_json=question.as_json)
    report.finish()
    return of_all(statuses)


async def _run(
    guard: Guard, question: Question, rows: Iterable[Row | BadLine], report: Report, ahead: int
) -> set[Status]:
    async def answer(row: Row | BadLine) -> Decision | None:
        return await judge(guard, row, question.context) if isinstance(row, Row) else None

    statuses: set[Status] = set()
    try:
        async with aclosing(_in_order(rows, answer, ahead)) as answers:
            async for row, made in answers:
                if isinstance(row, BadLine):
                    report.bad(row)
                    statuses.add(Status.WRONG)
                elif made is not None:
                    report.judged(row, made)
                    statuses.add(of_decision(made))
    finally:
        await guard.aclose()
    return statuses


async def _in_order(
    rows: Iterable[Row | BadLine], answer: Answer, ahead: int
) -> AsyncGenerator[tuple[Row | BadLine, Decision | None], None]:
    """Answers in the order of the rows, up to `ahead` of them under way."""
    waiting: deque[tuple[Row | BadLine, asyncio.Future[Decision | None]]] = deque()
    try:
        for row in rows:
            waiting.append((row, asyncio.ensure_future(answer(row))))
            if len(waiting) >= ahead:
                first, answered = waiting.popleft()
                yield first, await answered
        while waiting:
            first, answered = waiting.popleft()
            yield first, await answered
    finally:  # nobody waits for these any more
        for _, answered in waiting:
            answered.cancel()
        await asyncio.gather(*(answered for _, answered in waiting), return_exceptions=True)


class RowDocuments:
    """One JSON document a line of input, as soon as it is known."""

    def bad(self, line: BadLine) -> None:
        self._write({"line": line.number, "error": line.problem, "status": int(Status.WRONG)})

    def judged(self, row: Row, made: Decision) -> None:
        status = int(of_decision(made))
        self._write(decision_document(made, line=row.number, id=row.id, status=status))

    def _write(self, row: dict[str, Any]) -> None:
        write_json(row, line=True)
        sys.stdout.flush()

    def finish(self) -> None:
        return None


class Summary:
    """A line for each row that is not simply allowed, and tables at the end."""

    def __init__(self, bar: Progress) -> None:
        # Rows go through the bar's console where both are on one screen, or they would be torn.
        out = Screen()
        self._console: Console = bar.console if out.is_terminal and not bar.disable else out
        self._verdicts: Counter[Verdict] = Counter()
        self._principles: Counter[tuple[str, str]] = Counter()
        self._uncovered: Counter[str] = Counter()
        self._bad = 0

    def bad(self, line: BadLine) -> None:
        self._bad += 1
        self._print(Text.assemble((f"line {line.number} ", "bold"), (line.problem, "red")))

    def judged(self, row: Row, made: Decision) -> None:
        self._verdicts[made.verdict] += 1
        self._uncovered.update(made.coverage.uncovered)
        found = dict.fromkeys((f.principle, str(f.action)) for f in made.findings)
        self._principles.update(found.keys())
        if made.verdict is not Verdict.ALLOW:
            self._print(_line(row, made, [principle for principle, _ in found]))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def finish(self) -> None:
        show(Text(), *self._tables())

    def _tables(self) -> Iterator[RenderableType]:
        rows = self._verdicts.total()
        table = _table("verdict", "rows", "share")
        for verdict in Verdict:
            if count := self._verdicts[verdict]:
                share = f"{100 * count / rows:.1f} %"
                table.add_row(Text(str(verdict), COLOURS[verdict]), f"{count:,}", share)
        if self._bad:
            table.add_row(Text("not readable", "red"), f"{self._bad:,}", "")
        yield table
        if self._principles:
            yield Padding(self._by_principle(), (1, 0, 0, 0))
        if self._uncovered:
            names = ", ".join(self._uncovered)
            said = f"not judged, for no critic could: {names}"
            yield Padding(plain(said, "yellow"), (1, 0, 0, 0))

    def _by_principle(self) -> Table:
        table = _table("principle", "rows", "action")
        for (principle, action), count in self._principles.most_common(MOST_PRINCIPLES):
            table.add_row(plain(principle), f"{count:,}", action)
        if (more := len(self._principles) - MOST_PRINCIPLES) > 0:
            table.add_row(f"and {more} more", "", "")
        return table


def _table(name: str, count: str, last: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(name, overflow="fold")
    table.add_column(count, justify="right")
    table.add_column(last, justify="right")
    return table


def _line(row: Row, made: Decision, principles: Iterable[str]) -> Text:
    line = Text.assemble(
        (f"line {row.number} ", "bold"), (str(made.verdict), f"bold {COLOURS[made.verdict]}")
    )
    if made.cause not in (None, "policy"):
        line.append(f" ({made.cause})")
    line.append(visible(f" {', '.join(principles)}"))
    if row.id is not None:
        line.append(visible(f"  {row.id}"[:60]), style="dim")
    return line


@contextmanager
def _progress(source: BinaryIO) -> Iterator[Progress]:
    """A bar on standard error, only where somebody watches it."""
    console = Screen(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn(compact=True))
    bar = Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    bar.add_task("", total=_size(source))
    with bar:
        yield bar


def _advancing(
    rows: Iterable[Row | BadLine], source: BinaryIO, bar: Progress
) -> Iterator[Row | BadLine]:
    """The rows, moving the bar by the bytes they took."""
    for row in rows:
        yield row
        if not bar.disable and _size(source):
            bar.update(bar.task_ids[0], completed=source.tell())


def _size(source: BinaryIO) -> int | None:
    """Bytes of a regular file; None for what may still grow, such as a pipe."""
    try:
        found = os.fstat(source.fileno())
    except OSError:  # a stream in memory has no descriptor
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
