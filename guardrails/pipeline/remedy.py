"""Change a text without a model: mask, redact, replace a sentence, append, withhold. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from guardrails.constitution.model import Constitution, Principle
from guardrails.exchange import Part
from guardrails.text.sentences import covering, sentences
from guardrails.verdict import Edit, Finding, Span

__all__ = ["apply_edits", "mask", "remedy_edits"]

VISIBLE_AT_END = 4
"""A mask leaves this many letters or digits, as card receipts do."""

LONGEST_VALUE = 100
"""What has more of them is no single value: nothing of it stays."""


def remedy_edits(
    findings: Sequence[Finding], parts: Sequence[Part], constitution: Constitution
) -> tuple[Edit, ...] | None:
    """The edits that a ruling asks for, in the order of the text and without overlap.

    None when a breach is to be revised and its principle has no remedy that needs no model, or
    nothing to apply it to.
    """
    principles = {principle.id: principle for principle in constitution.principles}
    texts = _Texts(parts)
    edits: list[Edit] = []
    for finding in _different(findings):
        match finding.action:
            case "mask" | "redact" | "pseudonymise":
                edits += _redaction(finding, parts, principles[finding.principle])
            case "revise":
                made = _revision(finding, texts, principles[finding.principle])
                if made is None:
                    return None
                edits.append(made)
            case _:
                pass
    order = {id: n for n, id in enumerate(principles)}
    return tuple(_said_once(_joined(edits, parts, order)))


def apply_edits(parts: Sequence[Part], edits: Iterable[Edit]) -> dict[int, str]:
    """The new texts of the parts that the edits change."""
    by_part: dict[int, list[Edit]] = {}
    for edit in edits:
        by_part.setdefault(edit.part, []).append(edit)
    texts: dict[int, str] = {}
    for index, changes in by_part.items():
        text, pieces, at = parts[index].text, [], 0
        for edit in changes:
            pieces += [text[at : edit.span[0]], edit.replacement]
            at = edit.span[1]
        texts[index] = "".join([*pieces, text[at:]])
    return texts


def mask(value: str) -> str:
    """Every letter or digit but the last four becomes `*`; a value with no more than four of them
    is masked whole, as is what is too long for one. Separators stay, so the reader still sees what
    kind of thing it was."""
    signs = [index for index, sign in enumerate(value) if sign.isalnum()]
    keep = VISIBLE_AT_END if VISIBLE_AT_END < len(signs) <= LONGEST_VALUE else 0
    hidden = set(signs[: len(signs) - keep])
    return "".join("*" if index in hidden else sign for index, sign in enumerate(value))


class _Texts:
    """The parts, each read once however many findings there are in it."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._tiles: dict[int, Sequence[Span]] = {}

    def sentence_at(self, part: int, span: Span) -> Span:
        if part not in self._tiles:
            self._tiles[part] = sentences(self._parts[part].text)
        return covering(self._tiles[part], span)

    @cached_property
    def end(self) -> tuple[int, int, str] | None:
        """The last text that is judged, where it ends, and what goes before an addition to it."""
        for index in reversed(range(len(self._parts))):
            part = self._parts[index]
            if part.target and part.kind == "text":
                kept = len(part.text.rstrip())
                return index, kept, "" if not kept else "\n\n" if "\n" in part.text[:kept] else " "
        return None


def _different(findings: Iterable[Finding]) -> Iterable[Finding]:
    """One of those that would lead to the same edit."""
    return {(f.principle, f.action, f.part, f.span): f for f in findings}.values()


def _redaction(finding: Finding, parts: Sequence[Part], principle: Principle) -> list[Edit]:
    if finding.span is None or finding.part is None:
        return _withholding(finding, parts)
    found = parts[finding.part].text[slice(*finding.span)]
    if finding.action == "mask":
        replacement = mask(found)
    else:
        replacement = f"[{principle.entity}]" if principle.entity else ""
    return [
        Edit(
            part=finding.part,
            span=finding.span,
            replacement=replacement,
            principles=(finding.principle,),
            kind="mask" if finding.action == "mask" else "redact",
        )
    ]


def _withholding(finding: Finding, parts: Sequence[Part]) -> list[Edit]:
    """Nothing to point at: the whole part goes, or every target if no part is named."""
    return [
        Edit(
            part=index,
            span=(0, len(part.text)),
            replacement="",
            principles=(finding.principle,),
            kind="withhold",
        )
        for index in (range(len(parts)) if finding.part is None else (finding.part,))
        if (part := parts[index]).target
    ]


def _revision(finding: Finding, texts: _Texts, principle: Principle) -> Edit | None:
    remedy = principle.remedy
    if remedy is None:
        return None
    if remedy.append is not None:
        return _append(remedy.append, principle, texts)
    if remedy.replace_sentence is None or finding.part is None or finding.span is None:
        return None
    return Edit(
        part=finding.part,
        span=texts.sentence_at(finding.part, finding.span),
        replacement=remedy.replace_sentence,
        principles=(principle.id,),
        kind="replace_sentence",
    )


def _append(addition: str, principle: Principle, texts: _Texts) -> Edit | None:
    if texts.end is None:
        return None
    part, kept, lead = texts.end
    return Edit(
        part=part,
        span=(kept, kept),
        replacement=lead + addition,
        principles=(principle.id,),
        kind="append",
    )


def _trimmed(text: str, span: Span) -> Span:
    """The sentence without the blanks around it, so that its neighbours keep their distance."""
    sentence = text[slice(*span)]
    lead = len(sentence) - len(sentence.lstrip())
    tail = len(sentence) - len(sentence.rstrip())
    return (span[0] + lead, span[1] - tail) if lead < len(sentence) else span


_STRENGTH: Mapping[str, int] = {
    "append": 0,
    "mask": 1,
    "redact": 2,
    "rewrite": 3,
    "replace_sentence": 3,
    "withhold": 4,
}


def _joined(edits: Sequence[Edit], parts: Sequence[Part], order: Mapping[str, int]) -> list[Edit]:
    """Overlapping edits become one over all they cover; the strongest one's words stand, and of
    equally strong ones those of the principle that comes first."""

    def rank(edit: Edit) -> tuple[int, int]:
        return _STRENGTH[edit.kind], -order.get(edit.principles[0], len(order))

    joined: list[Edit] = []
    for edit in sorted(edits, key=lambda e: (e.part, e.span, rank(e))):
        if edit.kind == "append":
            continue
        if joined and _touch(joined[-1], edit):
            joined[-1] = _one(*sorted((joined[-1], edit), key=rank, reverse=True))
        else:
            joined.append(edit)
    # Blanks round a replaced sentence stay, so that its neighbours keep their distance.
    joined = [
        replace(edit, span=_trimmed(parts[edit.part].text, edit.span))
        if edit.kind == "replace_sentence" and edit.replacement
        else edit
        for edit in joined
    ]
    return _with_additions(joined, [edit for edit in edits if edit.kind == "append"])


def _with_additions(joined: Sequence[Edit], additions: Sequence[Edit]) -> list[Edit]:
    """An addition stands behind whatever else becomes of its part."""
    ends = {edit.part: edit.span[1] for edit in joined}
    moved = [(max(edit.span[1], ends.get(edit.part, 0)), edit) for edit in additions]
    behind = [replace(edit, span=(end, end)) for end, edit in moved]
    return sorted([*joined, *behind], key=lambda e: (e.part, e.span, e.kind == "append"))


def _touch(last: Edit, edit: Edit) -> bool:
    same = last.part == edit.part
    return same and (edit.span[0] < last.span[1] or edit.span == last.span)


def _one(stronger: Edit, weaker: Edit) -> Edit:
    span = (
        min(stronger.span[0], weaker.span[0]),
        max(stronger.span[1], weaker.span[1]),
    )
    if stronger.kind == "mask" and stronger.span != weaker.span:
        # Two masks that overlap: what stays visible of one may be what the other hides.
        stronger = replace(stronger, kind="redact", replacement="*" * (span[1] - span[0]))
    principles = tuple(dict.fromkeys((*stronger.principles, *weaker.principles)))
    return replace(stronger, span=span, principles=principles)


def _said_once(edits: Iterable[Edit]) -> list[Edit]:
    """The same replacement for several sentences of a part is said at the first one only."""
    said: dict[tuple[int, str], int] = {}
    result: list[Edit] = []
    for edit in edits:
        if edit.kind not in ("replace_sentence", "append") or not edit.replacement:
            result.append(edit)
            continue
        first = said.setdefault((edit.part, edit.replacement.strip()), len(result))
        if first == len(result):
            result.append(edit)
        elif edit.span[0] < edit.span[1]:
            result.append(replace(edit, replacement=""))
        else:  # an addition that is there already
            principles = dict.fromkeys((*result[first].principles, *edit.principles))
            result[first] = replace(result[first], principles=tuple(principles))
    return result
