"""Once per digest: do a constitution's own replies and remedies keep its own rules?"""

from __future__ import annotations

import threading
from collections.abc import Hashable

from guardrails.constitution.model import Constitution
from guardrails.errors import ConstitutionError, Problem
from guardrails.loop.private import run_apart
from guardrails.pipeline.own_texts import OwnText, broken_by, own_texts
from guardrails.pipeline.plan import Plan

__all__ = ["prove"]

_proven: set[Hashable] = set()
_lock = threading.Lock()


def prove(plan: Plan) -> None:
    """Raises ConstitutionError if a text that may reach a person breaks a principle that would not
    let it pass. Remembers, for the process, what was proven under which critics."""
    key = plan.constitution.digest, _critics(plan)
    with _lock:
        if key in _proven:
            return
    problems = run_apart(_problems(plan))
    if problems:
        raise ConstitutionError(problems)
    with _lock:
        _proven.add(key)


def _critics(plan: Plan) -> frozenset[tuple[str, str]]:
    return frozenset(
        (bound.name, bound.critic.version)
        for stage in plan.stages.values()
        for bound in stage.tier("deterministic")
    )


async def _problems(plan: Plan) -> list[Problem]:
    return [
        _problem(plan.constitution, text, broken)
        for text in own_texts(plan.constitution)
        if (broken := await broken_by(plan, text))
    ]


def _problem(constitution: Constitution, text: OwnText, broken: tuple[str, ...]) -> Problem:
    file, _, line = (text.principle.place if text.principle else "").rpartition(":")
    return Problem(
        file=file or constitution.file or constitution.id,
        line=int(line) if line.isdecimal() else 1,
        where=".".join(text.key),
        what=f"{text.what} breaks {', '.join(map(repr, broken))} at {text.stage}",
        hint="reword it: it would reach people although the constitution forbids it",
    )
