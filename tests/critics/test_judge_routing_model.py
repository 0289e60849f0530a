"""Whatever roles say and a constitution asks for: what is decided and recorded is what a few lines
of plain Python come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judge_samples import constitution, house, principle, ruling, sheet

from guardrails.constitution.model import Judging, Routing, StartRule
from guardrails.verdict import Usage

CASCADE = ("small", "medium", "large")
TRIO = {"models": {role: f"fake/{role}" for role in CASCADE}, "alone": False}
IDS = ("a.one", "a.two", "a.three")
Said = Literal["pass", "breach", "undecided"]

words = st.sampled_from(("pass", "breach", "undecided"))
tables = st.fixed_dictionaries(
    {role: st.fixed_dictionaries(dict.fromkeys(IDS, words)) for role in CASCADE}
)
routings = st.builds(
    Routing,
    start=st.just(()) | st.sampled_from(CASCADE).map(lambda role: (StartRule(role=role),)),
    confirm=st.sampled_from(("nothing", "breach")),
    audit_share=st.sampled_from((0.0, 1.0)),
)
Handed = dict[tuple[str, str, str, str], int]


def expected(
    table: Mapping[str, Mapping[str, Said]], routing: Routing
) -> tuple[dict[str, Said], Handed]:
    """The last word about each principle, and what was handed on."""
    last: dict[str, Said] = {}
    handed: Handed = {}
    first = routing.start[0].role if routing.start else "small"
    for id in IDS:
        place = CASCADE.index(first)
        while table[CASCADE[place]][id] == "undecided" and place < 2:
            handed[id, CASCADE[place], CASCADE[place + 1], "deferred"] = 1
            place += 1
        word = table[CASCADE[place]][id]
        checked = (word == "breach" and routing.confirm == "breach") or (
            word == "pass" and routing.audit_share == 1
        )
        if checked and place < 2:
            other = table[CASCADE[place + 1]][id]
            outcome = "unanswered" if other == "undecided" else "upheld"
            outcome = "reversed" if other not in ("undecided", word) else outcome
            handed[id, CASCADE[place], CASCADE[place + 1], outcome] = 1
            word = word if other == "undecided" else other
        last[id] = word
    return last, handed


def consistent(usage: Usage) -> None:
    """The counts of roles, starts and handovers tell of the same calls."""
    assert sum(use.calls for use in usage.roles) == usage.calls
    assert sum(use.input_tokens for use in usage.roles) == usage.input_tokens
    assert sum(use.output_tokens for use in usage.roles) == usage.output_tokens
    for use in usage.roles:
        handed = [h for h in usage.handovers if h.role == use.role]
        assert use.deferred == sum(h.times for h in handed if h.outcome == "deferred")
        assert use.reversed == sum(h.times for h in handed if h.outcome == "reversed")
        assert use.checked - use.reversed == sum(h.times for h in handed if h.outcome == "upheld")
        assert use.settled + use.deferred <= use.asked


@given(tables, routings, st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_the_cascade_is_what_its_rules_say(
    table: dict[str, dict[str, Said]], routing: Routing, kept: bool
) -> None:
    def answer(request: Any) -> Any:
        said = table[request.model]
        quotes = {"breach": "Good", "pass": "", "undecided": ""}
        ids = sheet(request).ids
        return {"verdicts": [ruling(id, said[id], quotes[said[id]]) for id in ids]}

    made = constitution(
        *(principle(id, action="flag", on_undecided="flag") for id in IDS),
        judging=Judging(cascade=CASCADE, routing=routing),
        cache_ttl_s=60 if kept else 0,
    )
    last, handed = expected(table, routing)
    async with house(answer, made, **TRIO) as here:
        decision = await here.guard.check_output("Good morning.")
        again = await here.guard.check_output("Good morning.")
        assert decision.usage.calls + again.usage.calls == len(here.provider.requests)
    for each in (decision, again):
        found = {finding.principle: finding.value for finding in each.findings}
        assert {id: found.get(id, "pass") for id in IDS} == last
        consistent(each.usage)
    got = {(h.principle, h.role, h.to, h.outcome): h.times for h in decision.usage.handovers}
    assert got == handed
    if kept and "undecided" not in {word for said in table.values() for word in said.values()}:
        assert again.usage.calls == 0
