"""Revising with a model: the breached principles and their quotes go in, edits come out.

Personal data that the constitution masks or hides is masked before the model sees the text. What
comes out is judged again by the engine like any other change.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from guardrails.constitution.model import Constitution, Principle, Remedy
from guardrails.critic.limits import BudgetHandle, Deadline, Estimate, Reserved
from guardrails.errors import BudgetExceeded, CriticOutage, UpstreamError
from guardrails.exchange import Part
from guardrails.llm.prices import cost_usd
from guardrails.llm.protocol import Answer, ModelClient, ModelOutageError, Question, Tokens
from guardrails.pipeline.facts import Vouching
from guardrails.pipeline.remedy import remedy_edits
from guardrails.prompts.revising import (
    EDIT_SCHEMA,
    Breach,
    Change,
    prefix,
    read_changes,
    request_text,
)
from guardrails.settings import Price
from guardrails.telemetry import log
from guardrails.text.normalise import View, normalise
from guardrails.text.sentences import sentences
from guardrails.verdict import (
    NOTHING_USED,
    Edit,
    Finding,
    PrincipleUse,
    Repair,
    RepairRequest,
    Span,
    Usage,
)

__all__ = ["BrokenPart", "Draft", "Reviser", "Way", "broken_parts", "repair_of"]

BYTES_PER_TOKEN = 4
LEAST_TOKENS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Edits of the original that may mend it."""

    edits: tuple[Edit, ...]
    method: Literal["remedy", "model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a model proposes, and what needs none where that changes less: the least change first.
    No ways if it proposed nothing usable."""

    ways: tuple[Way, ...] = ()
    usage: Usage = NOTHING_USED
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviser:
    """Asks one model, which knows its own fallback."""

    model: ModelClient
    timeout_s: float
    prices: Mapping[str, Price] = field(default_factory=dict)

    def is_needed(self, findings: Sequence[Finding], constitution: Constitution) -> bool:
        """Whether a breach is to be rewritten, or has no remedy that needs no model."""
        return any(
            finding.action == "revise" and _wants_model(constitution.principle(finding.principle))
            for finding in findings
        )

    async def revise(
        self,
        findings: Sequence[Finding],
        parts: Sequence[Part],
        constitution: Constitution,
        *,
        budget: BudgetHandle,
        deadline: Deadline,
        again: bool = False,
    ) -> Draft:
        """Edits that mend what is to be revised; masks and redactions are among them. All parts
        with a breach that wants a model are asked about at once. Raises nothing: what fails
        proposes nothing. `again`: an attempt before was not enough."""
        plain = _remedies(findings, parts, constitution)
        broken = broken_parts(findings, parts, constitution)
        asked = [each for each in broken if each.wants_model or plain.get(each.part) is None]
        tolds = await self._ask(asked, budget, deadline, again=again)
        usage, model = NOTHING_USED, None
        for each, told in zip(asked, tolds, strict=True):
            usage += told.usage + _for_the_sake_of(each, told.usage)
            model = told.model or model
        left = {each.part for each in broken} - {each.part for each in asked}
        edits = [edit for part in sorted(left) for edit in plain[part] or ()]
        for each, told in zip(asked, tolds, strict=True):
            changes = None if told.answer is None else _changes(told.answer, each.text)
            if changes is None or _states_news(changes, each, parts):
                if told.answer is not None:
                    news = changes is not None
                    log.info("revision_not_usable", model=told.model, states_news=news)
                return Draft(usage=usage, model=model)
            edits += _in_original(changes, each)
        theirs = _together(edits, _hiding_edits(findings, parts, constitution))
        return Draft(ways=_least_first(theirs, plain, parts), usage=usage, model=model)

    async def _ask(
        self, broken: Sequence[BrokenPart], budget: BudgetHandle, deadline: Deadline, *, again: bool
    ) -> list[_Told]:
        """About all of these at once, or about none: half a reply is no use to anybody."""
        left_s = min(self.timeout_s, deadline.remaining())
        if left_s <= 0:
            return [_Told() for _ in broken]
        questions = [self._question(each, again=again) for each in broken]
        try:
            held = await budget.reserve([estimate for _, _, estimate in questions])
        except BudgetExceeded as error:
            log.info("no_budget_to_revise", limit=error.name)
            return [_Told() for _ in broken]
        except CriticOutage:
            return [_Told() for _ in broken]
        asking = (
            self._told(question, entered, each, timeout_s=left_s)
            for (question, entered, _), each in zip(questions, held, strict=True)
        )
        return list(await asyncio.gather(*asking))

    def _question(self, broken: BrokenPart, *, again: bool) -> tuple[Question, int, Estimate]:
        """What is asked, how many tokens that has, and what it may come to."""
        asked = request_text(broken.text, broken.breaches, again=again)
        size = len(broken.text.encode("utf-8", "replace"))
        question = Question(
            prefix=prefix(),
            text=asked,
            schema=EDIT_SCHEMA,
            max_tokens=LEAST_TOKENS + 2 * size // BYTES_PER_TOKEN,
            cache_prefix=None,
        )
        entered = (len(prefix()) + len(asked.encode("utf-8", "replace"))) // BYTES_PER_TOKEN
        # Edits are short; money is reckoned as if all of it were written anew.
        dearest = Tokens(input=entered, output=question.max_tokens)
        estimate = Estimate(
            tokens=entered + LEAST_TOKENS,
            cost_usd=cost_usd(self.model.name, dearest, own=self.prices) or 0.0,
            most_tokens=entered + question.max_tokens,
        )
        return question, entered, estimate

    async def _told(
        self, question: Question, entered: int, held: Reserved, *, timeout_s: float
    ) -> _Told:
        told = await self._answered(question, entered, timeout_s=timeout_s)
        used = told.usage
        await held.settle(tokens=used.input_tokens + used.output_tokens, cost_usd=used.cost_usd)
        return told

    async def _answered(self, question: Question, entered: int, *, timeout_s: float) -> _Told:
        """What is answered, and what it used, whatever became of it."""
        try:
            answer = await self.model.ask(question, timeout_s=timeout_s)
        except TimeoutError:
            log.warning("reviser_too_slow", model=self.model.name)
            return _Told(usage=self._usage(Tokens(input=entered, estimated=True)))
        except UpstreamError as error:
            log.warning("reviser_away", model=self.model.name, error=type(error).__name__)
            charged = isinstance(error, ModelOutageError) and error.unanswered
            guessed = Tokens(input=entered, estimated=True)
            return _Told(usage=self._usage(guessed) if charged else Usage(calls=1))
        return _Told(answer=answer, usage=self._usage(answer.tokens, answer.client))

    def _usage(self, tokens: Tokens, client: str = "") -> Usage:
        return Usage(
            calls=1,
            input_tokens=tokens.total_input,
            output_tokens=tokens.output,
            cost_usd=cost_usd(client or self.model.name, tokens, own=self.prices),
            cache_read_tokens=tokens.cache_read,
            cache_write_tokens=tokens.cache_write,
        )


def _for_the_sake_of(broken: BrokenPart, spent: Usage) -> Usage:
    """The breached principles' shares of a question."""
    if not spent.calls:
        return NOTHING_USED
    ids = (breach.principle.id for breach in broken.breaches)
    return Usage(principles=PrincipleUse.shares(ids, spent))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a model answered, if it did, and what was used in any case."""

    answer: Answer | None = field(default=None, repr=False)
    usage: Usage = NOTHING_USED

    @property
    def model(self) -> str | None:
        return None if self.answer is None else self.answer.client or self.answer.model


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPart:
    """A part with breaches that are to be mended, as a model may see it: `view` is normalised and
    without what the constitution hides, and so are the quotes."""

    part: int
    view: View = field(repr=False)
    breaches: Sequence[Breach]

    @property
    def text(self) -> str:
        return self.view.text

    @property
    def wants_model(self) -> bool:
        return any(_wants_model(breach.principle) for breach in self.breaches)


def broken_parts(
    findings: Sequence[Finding], parts: Sequence[Part], constitution: Constitution
) -> list[BrokenPart]:
    """The parts to mend, in their order; what is missing belongs to the last text."""
    hidden = _hiding_edits(findings, parts, constitution)
    last = _last_text(parts)
    found: dict[int, list[Breach]] = {}
    views: dict[int, View] = {}
    for finding in findings:
        place = last if finding.part is None else finding.part
        if finding.action != "revise" or place is None:
            continue
        if place not in views:
            views[place] = _shown(parts[place].text, [e for e in hidden if e.part == place])
        view, quote = views[place], ""
        if finding.span is not None:
            quote = view.text[slice(*view.to_view(finding.span))]
        principle = constitution.principle(finding.principle)
        found.setdefault(place, []).append(
            Breach(principle=principle, quote=quote, reason=finding.reason)
        )
    return [
        BrokenPart(part=part, view=views[part], breaches=tuple(breaches))
        for part, breaches in sorted(found.items())
    ]


def _last_text(parts: Sequence[Part]) -> int | None:
    """Where what is missing is put."""
    targets = [n for n, part in enumerate(parts) if part.target and part.kind == "text"]
    return targets[-1] if targets else None


def _remedies(
    findings: Sequence[Finding], parts: Sequence[Part], constitution: Constitution
) -> dict[int, tuple[Edit, ...] | None]:
    """By part, the edits that need no model; None where a breach has none."""
    last, at = _last_text(parts), dict[int, list[Finding]]()
    for finding in findings:
        place = last if finding.part is None else finding.part
        if place is not None:
            at.setdefault(place, []).append(finding)
    return {place: remedy_edits(each, parts, constitution) for place, each in at.items()}


def _least_first(
    theirs: tuple[Edit, ...],
    plain: Mapping[int, tuple[Edit, ...] | None],
    parts: Sequence[Part],
) -> tuple[Way, ...]:
    """The model's edits; before them, if in some part the remedies that need no model leave more
    sentences as they are, those there."""
    least: list[Edit] = []
    by_model = False
    for part in sorted({edit.part for edit in theirs}):
        own, other = [edit for edit in theirs if edit.part == part], plain.get(part)
        text = parts[part].text
        takes_other = other and _sentences_changed(other, text) < _sentences_changed(own, text)
        least += (takes_other and other) or own
        by_model = by_model or (not takes_other and own != list(other or ()))
    ways = [Way(edits=tuple(least), method="model" if by_model else "remedy")]
    if ways[0].edits != theirs:
        ways.append(Way(edits=theirs, method="model"))
    return tuple(ways)


def _sentences_changed(edits: Sequence[Edit], text: str) -> int:
    """In how many sentences something is another, or which are new. By the number of edits alone, a
    reply written anew would have fewer than three words that are mended."""
    tiles = sentences(text)
    changed: set[tuple[str, int]] = set()
    for edit in edits:
        start, end = edit.span
        if start == end:
            changed.add(("new", start))
        changed |= {("old", tile[0]) for tile in tiles if tile[0] < end and start < tile[1]}
    return len(changed)


def repair_of(
    findings: Sequence[Finding], parts: Sequence[Part], constitution: Constitution
) -> Repair | None:
    """What a caller needs who mends a text in a loop of its own; None if there is nothing to."""
    broken = broken_parts(findings, parts, constitution)
    if not broken:
        return None
    return Repair(
        texts=tuple(each.text for each in broken),
        breaches=tuple(
            _request(breach, text) for text, each in enumerate(broken) for breach in each.breaches
        ),
    )


def _request(breach: Breach, text: int) -> RepairRequest:
    principle = breach.principle
    remedy = principle.remedy or Remedy()
    return RepairRequest(
        text=text,
        principle=principle.id,
        rule=principle.text,
        breach=principle.breach,
        not_breach=principle.not_breach,
        quote=breach.quote,
        reason=breach.reason,
        rewrite=remedy.rewrite,
        replace_sentence=remedy.replace_sentence,
        append=remedy.append,
    )


def _hiding_edits(
    findings: Sequence[Finding], parts: Sequence[Part], constitution: Constitution
) -> tuple[Edit, ...]:
    """The masks and redactions; personal data that is to be revised is hidden as well."""
    hiding = [
        finding if finding.action != "revise" else replace(finding, action="redact")
        for finding in findings
        if finding.action in ("mask", "redact", "pseudonymise")
        or (
            finding.action == "revise"
            and finding.span is not None
            and constitution.principle(finding.principle).entity is not None
        )
    ]
    return remedy_edits(hiding, parts, constitution) or ()


def _wants_model(principle: Principle) -> bool:
    remedy = principle.remedy
    return (
        remedy is None
        or remedy.rewrite is not None
        or (remedy.replace_sentence is None and remedy.append is None)
    )


def _shown(text: str, hidden: Sequence[Edit]) -> View:
    """The text as the judge saw it too, normalised, and without what the constitution hides."""
    view, edits, end = normalise(text), list[tuple[Span, str]](), 0
    for edit in hidden:
        start, stop = view.to_view(edit.span)
        start = max(start, end)  # what was normalised together may belong to two of them
        end = max(start, stop)
        edits.append(((start, end), edit.replacement))
    return view.replace(edits)


def _changes(answer: Answer, text: str) -> list[Change] | None:
    if answer.stop != "finished":
        return None
    try:
        return read_changes(json.loads(answer.text), text)
    except (ValueError, RecursionError):
        return None


def _states_news(changes: Sequence[Change], broken: BrokenPart, parts: Sequence[Part]) -> bool:
    """What was asked vouches for a fact as well, though the model was not shown it."""
    asked = (part.text for part in parts if not part.target)
    told = (text for breach in broken.breaches for text in _texts(breach.principle))
    vouching = Vouching([broken.text, *asked, *told])
    return any(vouching.new_facts(change.text) for change in changes)


def _texts(principle: Principle) -> list[str]:
    remedy = principle.remedy
    said = [principle.text, principle.breach, principle.not_breach]
    said += [remedy.rewrite, remedy.replace_sentence, remedy.append] if remedy else []
    return [text for text in said if text]


def _in_original(changes: Sequence[Change], broken: BrokenPart) -> list[Edit]:
    """Changes of what was shown as edits of the original. One that cuts through a mask, or through
    what was normalised together, takes all of it along."""
    ids = tuple(dict.fromkeys(breach.principle.id for breach in broken.breaches))
    view, edits = broken.view, list[Edit]()
    for change in changes:
        span = view.to_original(change.span)
        seen = view.to_view(span)
        before = view.text[seen[0] : change.span[0]]
        after = view.text[change.span[1] : seen[1]]
        edits.append(
            Edit(
                part=broken.part,
                span=span,
                replacement=before + change.text + after,
                principles=ids,
                kind="append" if change.kind == "append" else "rewrite",
            )
        )
    return edits


def _together(edits: Sequence[Edit], base: Sequence[Edit]) -> tuple[Edit, ...]:
    """The model's edits with the masks that none of them covers."""
    kept = [
        mask
        for mask in base
        if not any(
            edit.part == mask.part and edit.span[0] <= mask.span[0] and mask.span[1] <= edit.span[1]
            for edit in edits
        )
    ]
    return tuple(sorted((*edits, *kept), key=lambda edit: (edit.part, edit.span)))
