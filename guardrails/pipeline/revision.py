"""Revising with a model: the breached principles and their quotes go in, edits come out.

Personal data that the constitution masks or hides is masked before the model sees the text. What
comes out is judged again by the engine like any other change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guardrails.constitution.model import Constitution, Principle
from guardrails.critic.limits import BudgetHandle, Deadline
from guardrails.errors import BudgetExceeded, UpstreamError
from guardrails.exchange import Part
from guardrails.llm.prices import cost_usd
from guardrails.llm.protocol import Answer, ModelClient, Question, Tokens
from guardrails.pipeline.facts import new_facts
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
from guardrails.text.normalise import View
from guardrails.verdict import Edit, Finding, Usage

__all__ = ["Draft", "Reviser"]

BYTES_PER_TOKEN = 4
LEAST_TOKENS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a model proposes: edits of the original, None if it proposed nothing usable."""

    edits: tuple[Edit, ...] | None
    usage: Usage = Usage()
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
    ) -> Draft:
        """Edits that mend what is to be revised; masks and redactions are among them. Raises
        nothing: what fails proposes nothing."""
        hiding = [f for f in findings if f.action in ("mask", "redact", "pseudonymise")]
        base = remedy_edits(hiding, parts, constitution) or ()
        edits: list[Edit] = []
        usage, model = Usage(), None
        for part, breaches in _by_part(findings, parts, constitution).items():
            view = _masked(parts[part].text, [edit for edit in base if edit.part == part])
            answer = await self._ask(view.text, breaches, budget, deadline)
            if answer is None:
                return Draft(edits=None, usage=usage, model=model)
            model = answer.model
            usage += self._usage(answer)
            changes = _changes(answer, view.text)
            if changes is None or _states_news(changes, view.text, parts, breaches):
                return Draft(edits=None, usage=usage, model=model)
            edits += _in_original(changes, view, part, breaches)
        return Draft(edits=_together(edits, base), usage=usage, model=model)

    async def _ask(
        self,
        text: str,
        breaches: Sequence[Breach],
        budget: BudgetHandle,
        deadline: Deadline,
    ) -> Answer | None:
        asked = request_text(text, breaches)
        question = Question(
            prefix=prefix(),
            text=asked,
            schema=EDIT_SCHEMA,
            max_tokens=LEAST_TOKENS + 2 * len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN,
        )
        tokens = (len(prefix()) + len(asked.encode("utf-8", "replace"))) // BYTES_PER_TOKEN
        cost = cost_usd(self.model.name, Tokens(input=tokens, output=LEAST_TOKENS), own=self.prices)
        try:
            budget.spend_call(tokens=tokens + LEAST_TOKENS, cost_usd=cost or 0.0)
        except BudgetExceeded as error:
            log.info("no budget to revise with a model", limit=error.limit)
            return None
        left_s = min(self.timeout_s, deadline.remaining())
        if left_s <= 0:
            return None
        try:
            return await self.model.ask(question, timeout_s=left_s)
        except (UpstreamError, TimeoutError) as error:
            log.warning("a model proposed no revision", model=self.model.name, error=error)
            return None

    def _usage(self, answer: Answer) -> Usage:
        tokens = answer.tokens
        return Usage(
            calls=1,
            input_tokens=tokens.total_input,
            output_tokens=tokens.output,
            cost_usd=cost_usd(self.model.name, tokens, own=self.prices),
        )


def _wants_model(principle: Principle) -> bool:
    remedy = principle.remedy
    return (
        remedy is None
        or remedy.rewrite is not None
        or (remedy.replace_sentence is None and remedy.append is None)
    )


def _by_part(
    findings: Sequence[Finding], parts: Sequence[Part], constitution: Constitution
) -> Mapping[int, list[Breach]]:
    """What is to be revised, by the part it is in; what is missing belongs to the last text."""
    targets = [n for n, part in enumerate(parts) if part.target and part.kind == "text"]
    found: dict[int, list[Breach]] = {}
    for finding in findings:
        place = finding.part if finding.part is not None else targets[-1] if targets else None
        if finding.action != "revise" or place is None:
            continue
        quote = "" if finding.span is None else parts[place].text[slice(*finding.span)]
        principle = constitution.principle(finding.principle)
        found.setdefault(place, []).append(
            Breach(principle=principle, quote=quote, reason=finding.reason)
        )
    return found


def _masked(text: str, base: Sequence[Edit]) -> View:
    return View(text, text).replace([(edit.span, edit.replacement) for edit in base])


def _changes(answer: Answer, text: str) -> list[Change] | None:
    if answer.stop != "finished":
        return None
    try:
        return read_changes(json.loads(answer.text), text)
    except (ValueError, RecursionError):
        return None


def _states_news(
    changes: Sequence[Change], text: str, parts: Sequence[Part], breaches: Sequence[Breach]
) -> bool:
    """What was asked vouches for a fact as well, though the model was not shown it."""
    asked = (part.text for part in parts if not part.target)
    vouching = [text, *asked, *(t for breach in breaches for t in _texts(breach.principle))]
    return any(new_facts(change.text, vouching) for change in changes)


def _texts(principle: Principle) -> list[str]:
    remedy = principle.remedy
    said = [principle.text, principle.breach, principle.not_breach]
    said += [remedy.rewrite, remedy.replace_sentence, remedy.append] if remedy else []
    return [text for text in said if text]


def _in_original(
    changes: Sequence[Change], view: View, part: int, breaches: Sequence[Breach]
) -> list[Edit]:
    """Changes of the masked text as edits of the original. One that cuts through a mask takes all
    of it along."""
    ids = tuple(dict.fromkeys(breach.principle.id for breach in breaches))
    edits = []
    for change in changes:
        span = view.to_original(change.span)
        seen = view.to_view(span)
        before = view.text[seen[0] : change.span[0]]
        after = view.text[change.span[1] : seen[1]]
        edits.append(
            Edit(
                part=part,
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
