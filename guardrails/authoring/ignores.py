"""Comments that silence findings: `# lint: ignore CODE reason`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import yaml

from guardrails.authoring.chosen import near_codes
from guardrails.authoring.codes import ABOUT_IGNORES, CODES, LintFinding
from guardrails.authoring.subject import Subject
from guardrails.constitution.source import LOADER

__all__ = ["unsilenced"]

_IGNORE = re.compile(r"#\s*lint:\s*ignore\b[ \t]*(?P<code>\S*)[ \t]*(?P<reason>.*)")
_Place = tuple[int, int]
_LINES = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ignore:
    """A comment that says `lint: ignore`; `silences` is the line (from 1) that it speaks of."""

    line: int
    column: int
    silences: int
    code: str
    reason: str

    @property
    def fault(self) -> tuple[str, str] | None:
        """The code of what is wrong with it, and what that is."""
        if not self.code:
            return "L903", "a `lint: ignore` without a code"
        if self.code not in CODES or self.code.startswith(ABOUT_IGNORES):
            return "L903", _unknown(self.code)
        if not self.reason:
            return "L901", f"{self.code} is ignored without a reason"
        return None


def _unknown(code: str) -> str:
    told = f"there is no code {code[:20]!r} to ignore"
    if "," in code and code.split(",")[0] in CODES:
        return f"{told}: one comment silences one code; put each on a line of its own"
    near = "" if code in CODES else f"; {near_codes(code)}"
    return f"{told}{near}"


def unsilenced(
    subject: Subject, text: str, findings: Sequence[LintFinding]
) -> Iterator[LintFinding]:
    """The findings that no comment of the file silences, and those about the comments (L901 to
    L903)."""
    ignores = list(_ignores(text))
    sound = {(ignore.silences, ignore.code) for ignore in ignores if ignore.fault is None}
    found = {(finding.line, finding.code) for finding in findings}
    yield from (finding for finding in findings if (finding.line, finding.code) not in sound)
    for ignore in ignores:
        if ignore.fault is not None:
            yield _told(subject, ignore, *ignore.fault)
        elif (ignore.silences, ignore.code) not in found:
            yield _told(subject, ignore, "L902", f"there is no {ignore.code} here to ignore")


def _told(subject: Subject, ignore: _Ignore, code: str, message: str) -> LintFinding:
    return LintFinding(
        code=code,
        level=CODES[code].level,
        file=subject.constitution.file,
        line=ignore.line,
        column=ignore.column,
        where="",
        message=message,
        hint=CODES[code].mend,
    )


def _ignores(text: str) -> Iterator[_Ignore]:
    """The comments that say so; the same words inside a value are text."""
    text = text.removeprefix("\ufeff")
    lines = _LINES.split(text)
    if not any(map(_IGNORE.search, lines)):
        return
    values = _values(text)
    for number, line in enumerate(lines, 1):
        start = _comment(line, number, values) if _IGNORE.search(line) else None
        said = None if start is None else _IGNORE.search(line, start)
        if said is None:
            continue
        alone = not line[:start].strip()
        yield _Ignore(
            line=number,
            column=said.start() + 1,
            silences=_next_line(lines, number) if alone else number,
            code=said["code"],
            reason=said["reason"].strip(),
        )


def _comment(line: str, number: int, values: Sequence[tuple[_Place, _Place]]) -> int | None:
    """Where a line's comment begins: at its first sign that is not inside a value."""
    for sign in re.finditer("#", line):
        place = number, sign.start() + 1
        before = bisect_right(values, place, key=itemgetter(0))
        if not before or values[before - 1][1] <= place:
            return sign.start()
    return None


def _next_line(lines: Sequence[str], number: int) -> int:
    """The first line after this one that is neither blank nor a comment."""
    for later, line in enumerate(lines[number:], number + 1):
        if line.strip() and not line.lstrip().startswith("#"):
            return later
    return number


def _values(text: str) -> list[tuple[_Place, _Place]]:
    """Where each scalar begins and ends; a block's comment signs are text up to its end."""
    return [
        (_place(event.start_mark), _place(event.end_mark))
        for event in yaml.parse(text, Loader=LOADER)
        if isinstance(event, yaml.ScalarEvent)
    ]


def _place(mark: Any) -> _Place:
    return mark.line + 1, mark.column + 1
