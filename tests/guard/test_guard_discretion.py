"""No text of a user's in what is printed, logged or raised."""

from __future__ import annotations

import dataclasses
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guard_samples import JUDGED, FailingTrail, Records, guard_in, written

from guardrails.critic.protocol import CriticFinding, Critique, CritiqueRequest
from guardrails.errors import AuditError, GuardrailsError, MalformedCritique
from guardrails.exchange import Part
from guardrails.guard import Guard
from guardrails.guard.content import read_content
from guardrails.testing import BROKEN, scripted_critic
from guardrails.verdict import Blocked, Decision, Stage

MARKER = "xyzzy"
TEXTS = {
    "clean": f"{MARKER} good day",
    "flagged": f"{MARKER} oddly",
    "redacted": f"{MARKER} secret {MARKER}",
    "revised": f"{MARKER}. I promise {MARKER}. Bye.",
    "blocked": f"{MARKER} forbidden",
    "escalated": f"{MARKER} gravely",
}
CONTENTS: dict[str, Any] = {
    "str": str,
    "dict": lambda text: {MARKER: text},
    "list": lambda text: [text],
    "messages": lambda text: [{"role": "user", "content": text}],
    "parts": lambda text: [Part(text=text, path=(MARKER,))],
}


def quotes(request: CritiqueRequest) -> Critique:
    """A breach with the text as its reason."""
    found = tuple(
        CriticFinding(
            principle=id, value="breach", part=target.part, span=(0, 5), reason=target.text
        )
        for id in request.asked
        for target in request.targets
    )
    return Critique(looked=frozenset(request.asked), findings=found)


def raises_the_text(request: CritiqueRequest) -> Critique:
    raise MalformedCritique(f"cannot parse {request.targets[0].text}")


ANSWERS = {"quotes": quotes, "raises the text": raises_the_text} | dict(BROKEN)
del ANSWERS["hangs"]


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    assert MARKER not in caplog.text
    assert all(MARKER not in str(vars(record)) for record in caplog.records)


def told(decision: Decision) -> Iterator[str]:
    for value in (decision, decision.findings, decision.attempts, Blocked(decision)):
        yield repr(value)
        yield str(value)
    for field in dataclasses.fields(decision):
        if field.name not in ("content", "text"):
            yield repr(getattr(decision, field.name))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("stage", [Stage.INPUT, Stage.OUTPUT, Stage.RETRIEVAL])
def test_promise_9_no_repr_of_a_decision_holds_the_text(
    stage: Stage, kind: str, text: str, guard: Guard, records: Records
) -> None:
    decision = guard.sync.check(CONTENTS[kind](text), stage=stage)
    assert all(MARKER not in said for said in told(decision))
    assert len(records.how()) == 1
    kept = [*records.opened, *records.closed]
    assert all(MARKER not in record.model_dump_json() for record in kept if _digests_only(record))


def _digests_only(record: Any) -> bool:
    """An escalated case keeps its redacted text, for a person to see."""
    return getattr(record, "redacted_text", None) is None


@pytest.mark.parametrize("way", ANSWERS)
def test_promise_9_what_a_critic_says_or_raises_is_told_nowhere(
    way: str, tmp_path: Path, records: Records
) -> None:
    critics = [scripted_critic(ANSWERS[way])]
    guard = guard_in(tmp_path, written(JUDGED), critics=critics, trail=records)
    decision = guard.sync.check_output(f"{MARKER} good day", prompt=MARKER)
    assert all(MARKER not in said for said in told(decision))
    assert MARKER not in "".join(record.model_dump_json() for record in records.opened)
    asked = critics[0].asked[0]
    assert MARKER not in repr(asked)


async def test_promise_9_no_repr_on_the_way_holds_the_text(guard: Guard) -> None:
    for kind, make in CONTENTS.items():
        for stage in Stage:
            content = await read_content(make(TEXTS["clean"]), stage)
            assert MARKER not in repr(content), (kind, stage)
            assert MARKER not in repr(content.parts), (kind, stage)
    assert MARKER not in repr(guard.stream([MARKER]))
    assert MARKER not in repr(guard.call())
    assert MARKER not in repr(guard.sync)


def unfit() -> Any:
    class Marker:
        def __repr__(self) -> str:
            return MARKER

    return Marker()


def nested() -> Any:
    value: Any = MARKER
    for _ in range(200):
        value = [value]
    return value


@pytest.mark.parametrize("value", [unfit(), nested()], ids=["unreadable", "too deep"])
def test_promise_9_what_cannot_be_read_is_not_told(value: Any, guard: Guard) -> None:
    decision = guard.sync.check_output(value)
    assert not decision.delivers
    assert all(MARKER not in said for said in told(decision))


@pytest.mark.parametrize("fails", ["open", "close"])
def test_promise_9_an_error_of_the_trail_holds_no_text(fails: str, tmp_path: Path) -> None:
    guard = guard_in(tmp_path, trail=FailingTrail(fails))
    with pytest.raises(AuditError) as caught:
        guard.sync.check_output(f"{MARKER} good day")
    assert MARKER not in "".join(
        line
        for line in traceback.format_exception(caught.value)
        if "check_output(f" not in line  # this very test's source
    )


def test_promise_9_blocked_names_principles_and_the_record_alone(guard: Guard) -> None:
    decision = guard.sync.check_output(TEXTS["blocked"])
    said = str(Blocked(decision))
    assert "house.forbidden" in said
    assert decision.record_id in said
    assert isinstance(Blocked(decision), GuardrailsError)
    assert pickle.loads(pickle.dumps(decision.findings)) == decision.findings
