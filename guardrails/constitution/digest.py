"""The digest of a resolved constitution: equal for equal meaning, however it was written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from guardrails.constitution.model import Constitution, Example, Judging, Principle, Routing

__all__ = ["canonical", "digest", "principle_digest"]

FORM = 1
"""Of the canonical form: a change of it changes every digest, and is named so."""


def digest(constitution: Constitution) -> str:
    """`sha256:<hex>` over the canonical form."""
    return _hashed(canonical(constitution))


def principle_digest(principle: Principle) -> str:
    """The same for one principle: a change of it invalidates only what was kept about it."""
    return _hashed(_principle(principle))


def canonical(constitution: Constitution) -> dict[str, Any]:
    """All that can change a decision, and what names it, as JSON.

    Left out: tests, title, owner, sources, reasons, and where anything was written. The order of
    principles, examples and roles is meaning; that of stages, critics and callers is none.
    """
    attached = {str(stage): dict(each) for stage, each in constitution.attachments.items() if each}
    return {
        "form": FORM,
        "id": constitution.id,
        "version": constitution.version,
        "languages": list(constitution.languages),
        "principles": [_principle(principle) for principle in constitution.principles],
        "replies": {
            "blocked": dict(constitution.reply_blocked),
            "unavailable": dict(constitution.reply_unavailable),
        },
        "budget": {
            "deadline_s": constitution.budget.deadline_s,
            "max_chars": constitution.budget.max_chars,
            "max_calls": constitution.budget.max_calls,
            "max_tokens": constitution.budget.max_tokens,
            "max_cost_usd": constitution.budget.max_cost_usd,
        },
        "judge": _judge(constitution.judging),
        "revision": {"max_attempts": constitution.max_attempts},
        "stream": {"release": constitution.release},
        "cache": {"ttl_s": constitution.cache_ttl_s},
        "keep": sorted(constitution.keep),
        # Left out where nobody says anything, so that older digests still hold.
        **({"attachments": attached} if attached else {}),
    }


def _judge(judging: Judging) -> dict[str, Any]:
    said = {"cascade": list(judging.cascade), "timeout_s": judging.timeout_s}
    routing = judging.routing
    if routing == Routing():
        return said  # as before there was routing, so that older digests still hold
    start = [asdict(rule) for rule in routing.start]
    return {**said, "routing": {**asdict(routing), "start": start}}


def _principle(principle: Principle) -> dict[str, Any]:
    remedy = principle.remedy
    return {
        "id": principle.id,
        "text": principle.text,
        "breach": principle.breach,
        "not_breach": principle.not_breach,
        "severity": principle.severity,
        "scope": principle.scope,
        "requires": principle.requires,
        "actions": {str(stage): principle.actions[stage] for stage in principle.stages},
        "on_undecided": principle.on_undecided,
        "on_outage": principle.on_outage,
        "uncovered": principle.uncovered,
        "locked": principle.locked,
        "applies": {name: sorted(values) for name, values in principle.applies.items()},
        "critics": {use.name: use.config.model_dump(mode="json") for use in principle.critics},
        "remedy": remedy and [remedy.rewrite, remedy.replace_sentence, remedy.append],
        "examples": [_examples(principle.breach_examples), _examples(principle.fine_examples)],
        "reply": None if principle.reply is None else dict(principle.reply),
        "entity": principle.entity,
    }


def _examples(examples: tuple[Example, ...]) -> list[list[str | None]]:
    return [[example.prompt, example.reply] for example in examples]


def _hashed(value: dict[str, Any]) -> str:
    written = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(written.encode()).hexdigest()}"
