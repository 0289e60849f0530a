from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest
from audit_samples import JUDGED, NOW, OTHER, REPLY, closed, opened
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guardrails.audit.record import (
    Closed,
    Opened,
    as_json,
    canonical,
    delivery_fault,
    new_record_id,
)
from guardrails.verdict import (
    Attempt,
    ConstitutionPin,
    Coverage,
    Decision,
    Edit,
    Finding,
    Handover,
    PrincipleUse,
    RoleUse,
    Stage,
    Start,
    Usage,
    Verdict,
)

SECRET = "the patient's own words"

DECISION = Decision(
    verdict=Verdict.REVISE,
    cause="policy",
    constitution=ConstitutionPin(
        id="medical", version="1.0.0", digest="sha256:00", offline=True, models={"small": "m-1"}
    ),
    stage=Stage.OUTPUT,
    content=SECRET,
    text=SECRET,
    findings=(
        Finding(
            principle="med.dosage",
            critic="judge",
            value="breach",
            cause="policy",
            action="revise",
            severity="high",
            part=1,
            span=(3, 9),
            reason=SECRET,
        ),
    ),
    attempts=(
        Attempt(
            method="remedy",
            edits=(
                Edit(
                    part=1, span=(3, 9), replacement=SECRET, principles=("med.dosage",), kind="mask"
                ),
            ),
            verdict=Verdict.ALLOW,
            released=True,
        ),
    ),
    coverage=Coverage(uncovered=("med.tone",), windows=2, unjudged_parts=(4,), left_out=1),
    usage=Usage(
        calls=1,
        input_tokens=10,
        output_tokens=3,
        cost_usd=None,
        latency_ms=1.5,
        roles=(RoleUse(role="small", model="house/s", calls=1, asked=2, settled=1, deferred=1),),
        starts=(Start(role="small", last_role="large", last_model="house/l"),),
        handovers=(Handover(principle="med.dosage", role="small", to="large", outcome="deferred"),),
        cache_read_tokens=4,
        cache_write_tokens=2,
        principles=(PrincipleUse(principle="med.dosage", asked=1, input_tokens=10),),
    ),
    record_id="r1",
)


def stored(record: Opened | Closed) -> bytes:
    return canonical(as_json(record))


def test_a_record_holds_all_of_a_decision_but_its_text() -> None:
    record = Opened.of(DECISION, at=NOW, tenant="clinic", judged_digest=JUDGED)
    assert as_json(record) == {
        "format": 1,
        "record_id": "r1",
        "at": "2026-11-24T12:00:00.000000Z",
        "stage": "output",
        "verdict": "revise",
        "cause": "policy",
        "constitution": {
            "id": "medical",
            "version": "1.0.0",
            "digest": "sha256:00",
            "offline": True,
            "models": {"small": "m-1"},
        },
        "tenant": "clinic",
        "session": None,
        "subject": None,
        "findings": [
            {
                "principle": "med.dosage",
                "critic": "judge",
                "value": "breach",
                "cause": "policy",
                "action": "revise",
                "severity": "high",
                "part": 1,
                "span": [3, 9],
            }
        ],
        "attempts": [
            {
                "method": "remedy",
                "edits": [
                    {"part": 1, "span": [3, 9], "kind": "mask", "principles": ["med.dosage"]}
                ],
                "verdict": "allow",
                "released": True,
            }
        ],
        "coverage": {
            "uncovered": ["med.tone"],
            "windows": 2,
            "unjudged_parts": [4],
            "left_out": 1,
            "known_parts": 0,
        },
        "usage": {
            "calls": 1,
            "input_tokens": 10,
            "output_tokens": 3,
            "cost_usd": None,
            "latency_ms": 1.5,
            "cached": 0,
            "roles": [
                {
                    "role": "small",
                    "model": "house/s",
                    "calls": 1,
                    "asked": 2,
                    "settled": 1,
                    "deferred": 1,
                    "checked": 0,
                    "reversed": 0,
                    "input_tokens": 0,
                    "output_tokens": 0,
                    "cost_usd": 0.0,
                }
            ],
            "starts": [
                {
                    "role": "small",
                    "why": "first",
                    "rule": None,
                    "principle": None,
                    "last_role": "large",
                    "last_model": "house/l",
                    "times": 1,
                    "always_last_usd": 0.0,
                }
            ],
            "handovers": [
                {
                    "principle": "med.dosage",
                    "role": "small",
                    "to": "large",
                    "outcome": "deferred",
                    "times": 1,
                }
            ],
            "cache_read_tokens": 4,
            "cache_write_tokens": 2,
            "principles": [
                {
                    "principle": "med.dosage",
                    "asked": 1,
                    "input_tokens": 10,
                    "output_tokens": 0,
                    "cost_usd": 0.0,
                }
            ],
        },
        "judged_digest": JUDGED,
        "reply_key": None,
        "reply_digest": None,
        "redacted_text": None,
        "streamed": False,
        "released_before_breach": False,
    }


def test_promise_9_a_record_keeps_no_user_text_unless_it_is_given_some() -> None:
    record = Opened.of(DECISION, at=NOW, tenant="clinic", judged_digest=JUDGED)
    assert SECRET.encode() not in stored(record)
    assert SECRET not in repr(record)


def test_a_record_from_before_roles_were_counted_is_still_read() -> None:
    record = as_json(Opened.of(DECISION, at=NOW, tenant="clinic", judged_digest=JUDGED))
    later = (
        "roles",
        "starts",
        "handovers",
        "principles",
        "cache_read_tokens",
        "cache_write_tokens",
    )
    for each in later:
        del record["usage"][each]
    assert Opened.model_validate(record).usage.roles == ()


@pytest.mark.parametrize("field", ["session", "subject", "judged_digest", "reply_digest"])
def test_promise_9_a_text_in_place_of_a_digest_is_refused_without_being_repeated(
    field: str,
) -> None:
    with pytest.raises(ValidationError) as caught:
        opened(**{field: SECRET})
    assert SECRET not in str(caught.value)


@given(st.text(), st.text(alphabet=st.characters(categories=["Cs", "L"])), st.sampled_from(Verdict))
def test_what_is_stored_reads_back_as_it_was(tenant: str, redacted: str, verdict: Verdict) -> None:
    record = opened(tenant=tenant, redacted_text=redacted, verdict=verdict)
    assert Opened.model_validate_json(stored(record)) == record


def test_the_stored_form_depends_on_neither_order_nor_time_zone() -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    pin = {"id": "a", "version": "1", "digest": "d"}
    one = opened("r", at=NOW, constitution=pin | {"models": {"small": "x", "large": "y"}})
    two = opened(
        "r",
        at=NOW.astimezone(there),
        constitution=pin | {"models": {"large": "y", "small": "x"}},
    )
    assert stored(one) == stored(two)


@pytest.mark.parametrize(
    "wrong",
    [
        {"surprise": 1},
        {"format": 2},
        {"record_id": ""},
        {"record_id": "../../etc/passwd"},
        {"at": "2026-11-24T12:00:00"},
        {"verdict": "perhaps"},
        {"stage": "lobby"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_no_record_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Opened.model_validate(as_json(opened()) | wrong)


def test_record_ids_sort_by_time_and_do_not_repeat() -> None:
    ids = [new_record_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert [name[:12] for name in ids] == sorted(name[:12] for name in ids)


ALLOWED = opened("r")
BLOCKED = opened("r", verdict=Verdict.BLOCK, reply_key="blocked", reply_digest=REPLY)


@pytest.mark.parametrize(
    ("decided", "done"),
    [
        (ALLOWED, closed("r")),
        (ALLOWED, closed("r", "nothing", None)),
        (ALLOWED, closed("r", "restore_pseudonyms", OTHER)),
        (BLOCKED, closed("r", "reply", REPLY).model_copy(update={"reply_key": "blocked"})),
        (BLOCKED, closed("r", "application_reply", OTHER)),
        (BLOCKED, closed("r", "nothing", None)),
    ],
    ids=["judged", "nothing", "pseudonyms", "reply", "application", "blocked-nothing"],
)
def test_promise_1_what_may_be_delivered(decided: Opened, done: Closed) -> None:
    assert delivery_fault(decided, done) is None


@pytest.mark.parametrize(
    ("decided", "done", "fault"),
    [
        (ALLOWED, closed("r", "judged", OTHER), "not what was judged"),
        (ALLOWED, closed("r", "judged", None), "without a digest"),
        (ALLOWED, closed("r", "nothing", JUDGED), "nothing was delivered, yet"),
        (ALLOWED, closed("r", "reply", REPLY), "reply None was delivered"),
        (ALLOWED, closed("r", "application_reply", OTHER), "application's own reply"),
        (BLOCKED, closed("r"), "verdict block, yet the judged text was delivered"),
        (BLOCKED, closed("r", "restore_pseudonyms", OTHER), "verdict block"),
        (BLOCKED, closed("r", "reply", REPLY), "reply None was delivered, 'blocked' decided"),
        (
            BLOCKED,
            closed("r", "reply", OTHER).model_copy(update={"reply_key": "blocked"}),
            "not the reply 'blocked'",
        ),
        (
            BLOCKED.model_copy(update={"reply_digest": None}),
            closed("r", "reply", REPLY).model_copy(update={"reply_key": "blocked"}),
            "not the reply 'blocked'",
        ),
    ],
)
def test_promise_1_any_other_delivery_is_a_fault(decided: Opened, done: Closed, fault: str) -> None:
    assert fault in (delivery_fault(decided, done) or "")
