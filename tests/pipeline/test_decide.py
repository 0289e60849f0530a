"""The one rule from observations to a verdict."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_samples import rule

from guardrails.constitution.model import Principle
from guardrails.pipeline.decide import Limit, Observation, decide
from guardrails.verdict import Finding, FindingCause, Stage, Verdict, cause_of

ACTIONS = ("flag", "redact", "revise", "block", "escalate")
DOUBTS = ("flag", "block", "escalate")
WITHHOLDING = (Stage.RETRIEVAL, Stage.TOOL_RESULT)
NOT_KNOWING: tuple[FindingCause, ...] = (
    "silent",
    "unsure",
    "raised",
    "timeout",
    "malformed",
    "refused",
    "unjudged_part",
    "unknown_format",
)

limits = st.sampled_from(get_args(Limit))
spans = st.none() | st.just((0, 3))


@st.composite
def principles(draw: st.DrawFn) -> Principle:
    return rule(
        draw(st.sampled_from(["a.rule", "b.rule", "c.rule"])),
        stages=tuple(Stage),
        action=draw(st.sampled_from((*ACTIONS, "allow", "mask", "pseudonymise"))),
        on_undecided=draw(st.sampled_from(DOUBTS)),
        on_outage=draw(st.sampled_from(DOUBTS)),
        uncovered=draw(st.sampled_from(("block", "escalate"))),
    )


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    cause: Any = draw(st.sampled_from(get_args(FindingCause)))
    value = {"policy": "breach", "look": "look"}.get(cause, "undecided")
    return Observation(
        about=draw(limits) if cause == "limit" and draw(st.booleans()) else draw(principles()),
        critic="a critic",
        value=value,  # type: ignore[arg-type]
        cause=cause,
        part=0,
        span=draw(spans),
    )


stages = st.sampled_from(list(Stage))


def seen(about: Principle | Limit, cause: FindingCause, **changes: Any) -> Observation:
    value: Any = {"policy": "breach", "look": "look"}.get(cause, "undecided")
    return Observation(about=about, critic="a critic", value=value, cause=cause, **changes)


def test_nothing_observed_is_allowed() -> None:
    ruling = decide([], stage=Stage.OUTPUT)
    assert (ruling.verdict, ruling.cause, ruling.findings) == (Verdict.ALLOW, None, ())


@given(
    st.lists(observations(), max_size=6).flatmap(
        lambda o: st.tuples(st.just(o), st.permutations(o))
    ),
    stages,
)
def test_the_order_of_what_was_observed_does_not_matter(
    both: tuple[list[Observation], list[Observation]], stage: Stage
) -> None:
    one, other = (decide(observed, stage=stage) for observed in both)
    assert (one.verdict, one.cause) == (other.verdict, other.cause)
    assert sorted(map(repr, one.findings)) == sorted(map(repr, other.findings))


@given(st.lists(observations(), max_size=5), observations(), stages)
def test_one_more_observation_never_makes_the_verdict_milder(
    observed: list[Observation], another: Observation, stage: Stage
) -> None:
    before, after = (decide(seen, stage=stage) for seen in (observed, [*observed, another]))
    assert before.verdict <= after.verdict


@given(st.lists(observations(), max_size=6), stages)
def test_the_verdict_is_allow_exactly_if_no_finding_acts(
    observed: list[Observation], stage: Stage
) -> None:
    ruling = decide(observed, stage=stage)
    acting = [finding for finding in ruling.findings if finding.action != "allow"]
    assert (ruling.verdict is Verdict.ALLOW) == (not acting)
    assert (ruling.cause is None) == (not acting)


@given(st.lists(observations(), max_size=6), stages)
def test_every_observation_becomes_one_finding(observed: list[Observation], stage: Stage) -> None:
    def told(seen: Observation | Finding) -> tuple[object, ...]:
        about = seen.principle if isinstance(seen, Finding) else seen.about
        id = about.id if isinstance(about, Principle) else about
        return (id, seen.critic, seen.value, seen.cause, seen.part, seen.span)

    ruling = decide(observed, stage=stage)
    assert list(map(told, ruling.findings)) == list(map(told, observed))


@given(st.lists(observations(), min_size=1, max_size=6), stages)
def test_the_cause_is_that_of_a_gravest_finding(observed: list[Observation], stage: Stage) -> None:
    ruling = decide(observed, stage=stage)
    gravest = {cause_of(f.cause) for f in ruling.findings if Verdict.of(f.action) is ruling.verdict}
    ranked = [cause for cause in ("policy", "limit", "outage", "undecided") if cause in gravest]
    assert ruling.cause == (ranked[0] if ruling.verdict is not Verdict.ALLOW else None)


@given(st.lists(observations(), max_size=5), limits, stages)
def test_promise_2_a_limit_refuses_whatever_else_was_seen(
    observed: list[Observation], limit: Limit, stage: Stage
) -> None:
    ruling = decide([*observed, seen(limit, "limit")], stage=stage)
    assert not ruling.verdict.delivers


@pytest.mark.parametrize("milder", ["on_undecided", "on_outage", "action"])
def test_promise_2_no_setting_of_a_principle_softens_a_limit(milder: str) -> None:
    ruling = decide([seen(rule(**{milder: "flag"}), "limit")], stage=Stage.OUTPUT)
    assert (ruling.verdict, ruling.cause) == (Verdict.BLOCK, "limit")


@pytest.mark.parametrize("cause", NOT_KNOWING)
@pytest.mark.parametrize("doubt", DOUBTS)
def test_promise_2_not_knowing_goes_by_on_undecided(cause: FindingCause, doubt: str) -> None:
    for action in ACTIONS:
        for outage in DOUBTS:
            about = rule(action=action, on_undecided=doubt, on_outage=outage)
            ruling = decide([seen(about, cause)], stage=Stage.OUTPUT)
            assert (str(ruling.verdict), ruling.cause) == (doubt, "undecided")


@pytest.mark.parametrize("outage", DOUBTS)
def test_promise_2_an_outage_goes_by_on_outage(outage: str) -> None:
    for action in ACTIONS:
        for doubt in DOUBTS:
            about = rule(action=action, on_undecided=doubt, on_outage=outage)
            ruling = decide([seen(about, "outage")], stage=Stage.OUTPUT)
            assert (str(ruling.verdict), ruling.cause) == (outage, "outage")


@given(st.lists(observations(), max_size=5), principles(), stages, st.sampled_from(NOT_KNOWING))
def test_promise_2_whatever_else_is_seen_a_doubt_is_never_below_its_setting(
    observed: list[Observation], about: Principle, stage: Stage, cause: FindingCause
) -> None:
    undecided = decide([*observed, seen(about, cause)], stage=stage)
    out = decide([*observed, seen(about, "outage")], stage=stage)
    assert undecided.verdict >= Verdict.of(about.on_undecided)
    assert out.verdict >= Verdict.of(about.on_outage)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_breach_leads_to_its_action(action: str, stage: Stage) -> None:
    about = rule(action=action, stages=(stage,))
    ruling = decide([seen(about, "policy", part=0, span=(0, 1))], stage=stage)
    assert (str(ruling.verdict), ruling.cause) == (action, "policy")


@pytest.mark.parametrize("action", ["redact", "mask", "pseudonymise"])
@pytest.mark.parametrize("stage", Stage)
def test_a_redaction_without_a_place_blocks_save_where_the_part_can_be_withheld(
    action: str, stage: Stage
) -> None:
    about = rule(action=action, stages=(stage,))
    ruling = decide([seen(about, "policy")], stage=stage)
    assert ruling.verdict is (Verdict.REDACT if stage in WITHHOLDING else Verdict.BLOCK)


def test_a_look_that_nobody_answers_flags_and_accuses_nobody() -> None:
    ruling = decide([seen(rule(action="block"), "look")], stage=Stage.OUTPUT)
    assert (ruling.verdict, ruling.cause) == (Verdict.FLAG, "undecided")
    assert ruling.findings[0].value == "look"


@pytest.mark.parametrize("uncovered", ["block", "escalate"])
def test_what_nobody_covers_refuses_as_the_principle_says(uncovered: str) -> None:
    about = rule(uncovered=uncovered, on_undecided="flag", on_outage="flag", action="flag")
    ruling = decide([seen(about, "uncovered")], stage=Stage.OUTPUT)
    assert (str(ruling.verdict), ruling.cause) == (uncovered, "undecided")


def test_a_breach_is_told_as_one_whatever_failed_beside_it() -> None:
    observed = [
        seen(rule("a.rule"), "outage"),
        seen(rule("b.rule"), "policy"),
        seen("budget.max_chars", "limit"),
    ]
    assert decide(observed, stage=Stage.OUTPUT).cause == "policy"
    assert decide([observed[0], observed[2]], stage=Stage.OUTPUT).cause == "limit"
    assert (
        decide([observed[0], seen(rule("c.rule"), "raised")], stage=Stage.OUTPUT).cause == "outage"
    )


def test_the_cause_is_not_that_of_a_milder_finding() -> None:
    flagged = seen(rule("a.rule", action="flag"), "policy")
    out = seen(rule("b.rule"), "outage")
    assert decide([flagged, out], stage=Stage.OUTPUT).cause == "outage"
