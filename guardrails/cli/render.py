"""Decisions drawn for people: pure functions from values to rich renderables.

All text from outside goes through `visible` and is never read as markup. `texts` are the exchange's
parts by index; a finding in a part that is not among them is listed without its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from guardrails.cli.marks import draw, shorten
from guardrails.display.pieces import changed, marked
from guardrails.display.visible import visible
from guardrails.verdict import Coverage, Decision, Edit, Finding, Verdict

__all__ = ["COLOURS", "Texts", "decision", "headline", "plain", "why"]

Texts = Mapping[int, str]

COLOURS: Mapping[Verdict, str] = {
    Verdict.ALLOW: "green",
    Verdict.FLAG: "yellow",
    Verdict.REDACT: "cyan",
    Verdict.REVISE: "blue",
    Verdict.BLOCK: "red",
    Verdict.ESCALATE: "magenta",
}

MARKS = {
    "breach": "bold red reverse",
    "undecided": "bold magenta reverse",
    "look": "black on yellow",
}

SAID = {
    "look": "worth a look, and no judge to ask",
    "uncovered": "nobody could judge it",
    "silent": "the critic said nothing",
    "unsure": "the critic could not tell",
    "raised": "the critic failed",
    "timeout": "the critic took too long",
    "malformed": "the critic's answer made no sense",
    "refused": "the judging model refused",
    "unjudged_part": "no critic can read this kind of content",
    "unknown_format": "the content's format is not known",
    "outage": "what the critic depends on is away",
    "limit": "a limit was reached",
}
"""Causes of findings in words; `policy` needs none."""


def plain(text: str, style: str = "") -> Text:
    """Text from outside, as it is and in one style."""
    return Text(visible(text), style=style)


def decision(made: Decision, texts: Texts, *, colour: bool) -> Group:
    """A decision whole: headline, why, what was changed, what goes on, what nobody judged."""
    blocks: list[RenderableType] = [headline(made), *why(made, texts, colour=colour)]
    if coverage := _coverage(made.coverage, offline=made.constitution.offline):
        blocks.append(coverage)
    if made.record_id:
        blocks.append(plain(f"record {made.record_id}", "dim"))
    return Group(blocks[0], *(Padding(block, (1, 0, 0, 2)) for block in blocks[1:]))


def headline(made: Decision) -> Text:
    """The verdict, its cause, and under which rules it was made, on one line."""
    pin = made.constitution
    line = Text.assemble(
        (f" {str(made.verdict).upper()} ", f"bold {COLOURS[made.verdict]} reverse"), " "
    )
    said = [str(made.cause)] if made.cause else []
    said += [f"{pin.id} {pin.version}", str(made.stage), *(["offline"] if pin.offline else [])]
    line.append(visible(" · ".join(said)))
    return line


def why(made: Decision, texts: Texts, *, colour: bool) -> Iterator[RenderableType]:
    """What was found, and what became of the text."""
    yield from _findings(made, texts, colour)
    yield from _outcome(made, texts, colour)


def _findings(made: Decision, texts: Texts, colour: bool) -> Iterable[RenderableType]:
    """One block for the findings of one kind in one part, the gravest first."""
    kinds: dict[Finding, list[Finding]] = {}
    for finding in made.findings:
        kinds.setdefault(replace(finding, span=None, reason=""), []).append(finding)
    for kind in sorted(kinds, key=lambda kind: -Verdict.of(kind.action).gravity):
        yield Group(*_finding(kind, kinds[kind], texts, colour))


def _finding(
    kind: Finding, findings: Sequence[Finding], texts: Texts, colour: bool
) -> Iterable[RenderableType]:
    style = COLOURS[Verdict.of(kind.action)]
    times = f" ×{len(findings)}" if len(findings) > 1 else ""
    yield Text.assemble(
        (visible(kind.principle), "bold"),
        (f" → {kind.action}{times}", style),
        (visible(f"  {kind.value} · {kind.severity} · {kind.critic}"), "dim"),
    )
    if kind.cause in SAID:
        yield _indented(Text(SAID[kind.cause], style="italic"))
    spans = [finding.span for finding in findings if finding.span is not None]
    if spans and kind.part is not None and kind.part in texts:
        pieces = shorten(marked(texts[kind.part], spans))
        yield _indented(draw(pieces, colour=colour, mark=MARKS[kind.value]))
    for reason in dict.fromkeys(finding.reason for finding in findings if finding.reason):
        yield _indented(plain(reason, "italic"))


def _outcome(made: Decision, texts: Texts, colour: bool) -> Iterable[RenderableType]:
    """What was changed, as a diff, or what a person sees instead."""
    if not made.delivers:
        key = f" ({made.reply_key})" if made.reply_key else ""
        yield Group(Text(visible(f"sent instead{key}"), style="bold"), _indented(plain(made.text)))
        return
    if made.verdict < Verdict.REDACT:
        return
    edits = [edit for attempt in made.attempts if attempt.released for edit in attempt.edits]
    shown = [part for part in dict.fromkeys(edit.part for edit in edits) if part in texts]
    for part in shown:
        mine = [edit for edit in edits if edit.part == part]
        pieces = shorten(changed(texts[part], mine))
        yield Group(
            Text.assemble(("changed", "bold"), (f"  {_ways(mine)}", "dim")),
            _indented(draw(pieces, colour=colour)),
        )
    if not shown:
        yield Group(Text("sent instead", style="bold"), _indented(plain(made.text)))


def _ways(edits: Iterable[Edit]) -> str:
    return ", ".join(dict.fromkeys(edit.kind.replace("_", " ") for edit in edits))


def _coverage(coverage: Coverage, *, offline: bool) -> Text | None:
    """What nobody looked at, or not again; None if all was looked at."""
    said = []
    if coverage.uncovered:
        where = " offline" if offline else ""
        said.append(f"not judged{where}: {', '.join(coverage.uncovered)}")
    if coverage.unjudged_parts:
        said.append(f"parts nobody can read: {', '.join(map(str, coverage.unjudged_parts))}")
    if coverage.left_out:
        said.append(f"earlier turns the judge did not see: {coverage.left_out}")
    if coverage.known_parts:
        said.append(f"parts that were judged before: {coverage.known_parts}")
    return plain("\n".join(said), "yellow") if said else None


def _indented(block: RenderableType) -> Padding:
    return Padding(block, (0, 0, 0, 2))
