"""A child adds and tightens; what it takes away or makes milder it says, with a reason."""

from __future__ import annotations

import json
import random

import pytest
from constitution_samples import Family, shuffled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrails.constitution.model import Amendment, Constitution
from guardrails.constitution.source import read_source
from guardrails.verdict import Stage

PARENT = r"""
languages: [en]
judge: {cascade: [small, large], timeout_s: 5}
budget: {deadline_s: 10, max_chars: 1000, max_calls: 4, max_tokens: 500, max_cost_usd: 0.1}
revision: {max_attempts: 2}
stream: {release: whole}
cache: {ttl_s: 60}
replies: {blocked: {en: No.}, unavailable: {en: Later.}}
principles:
  - id: p.dose
    text: Names no dose.
    breach: Names one.
    not_breach: Reads a label.
    severity: high
    stages: [output]
    action: redact
    on_undecided: block
    on_outage: block
    uncovered: block
    applies: {audience: [patient]}
    critics:
      - pattern: {breach: ['\b\d+ mg\b'], unless: ['\blabel\b'], look: ['\bmg\b']}
      - negative_examples
      - judge
    examples: {breach: [Take 5 mg.], fine: [A label says 5 mg.]}
    reply: {en: Ask a doctor.}
    source: {title: House rule}
  - {id: p.plain, text: Is plain., action: flag}
  - {id: p.locked, text: Is locked., locked: true, action: flag}
  - {id: p.cite, text: Cites., requires: true, critics: [{pattern: {require: [source]}}]}
pii:
  output: {EMAIL_ADDRESS: {action: redact, min_score: 0.6}, US_SSN: mask}
  keep: [desk@x.example]
"""


def amend(id: str, more: str) -> str:
    return f"principles:\n  - id: {id}\n    {more}\n"


def relax(id: str, set: str, reason: str = "tried") -> str:
    return f"relax:\n  - {{id: {id}, set: {set}, reason: {reason}}}\n"


# -- what is free ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "child",
    [
        amend("c.new", "text: Is new."),
        amend("p.dose", "examples: {breach: [Take six.], fine: [Ask.]}"),
        amend("p.dose", "critics: [{pattern: {breach: [gram]}}]"),
        amend("p.dose", "critics: [{pattern: {look: [gram]}}]"),
        amend("p.dose", "critics: [screen]"),
        amend("p.dose", "critics: [secrets, judge]"),
        amend("p.dose", "stages: [input]"),
        amend("p.dose", "stages: [input, output]\n    action: {input: block}"),
        amend("p.dose", "action: block"),
        amend("p.dose", "action: escalate"),
        amend("p.plain", "action: redact"),
        amend("p.locked", "action: block"),
        amend("p.dose", "severity: critical"),
        amend("p.dose", "scope: reply"),
        amend("p.dose", "locked: true"),
        amend("p.dose", "on_undecided: escalate"),
        amend("p.dose", "on_outage: escalate"),
        amend("p.plain", "on_outage: block"),
        amend("p.dose", "uncovered: escalate"),
        amend("p.dose", "reply: {de: Fragen Sie.}"),
        amend("p.dose", "reply: Ask."),
        amend("p.dose", "text: Names no dose.\n    severity: critical"),
        "replies: {blocked: {de: Nein.}}\n",
        "replies: {blocked: Not here.}\n",
        "languages: [de, en]\n",
        "budget: {deadline_s: 5, max_chars: 10, max_calls: 0, max_tokens: 1, max_cost_usd: 0}\n",
        "judge: {cascade: [medium, large]}\n",
        "judge: {cascade: [small, medium, large]}\n",
        "judge: {cascade: [large]}\n",
        "judge: {timeout_s: 5}\n",
        "stream: {release: whole}\n",
        "cache: {ttl_s: 600}\n",
        "pii: {output: {EMAIL_ADDRESS: block}}\n",
        "pii: {output: {EMAIL_ADDRESS: {action: redact, min_score: 0.4}}}\n",
        "pii: {output: {US_SSN: redact}, input: {CREDIT_CARD: block}}\n",
        "pii: {keep: [desk@x.example]}\n",
        "tests: [{name: t, reply: 5 mg, expect: redact, breaches: [p.dose]}]\n",
        "title: A child\nowner: somebody\n",
    ],
    ids=lambda child: " ".join(child.split()).removeprefix("principles: - id: ")[:60],
)
def test_a_child_may_add_and_tighten(family: Family, child: str) -> None:
    assert family.child_problems(PARENT, child) == []


# -- what needs a reason ---------------------------------------------------------------------------

SAY_SO = "say so under 'relax', with a reason"
KEEPS = f"an inherited principle keeps what it says here; {SAY_SO}"


@pytest.mark.parametrize(
    ("child", "said"),
    [
        (amend("p.dose", "text: Names nothing."), f"principles[0].text: {KEEPS}"),
        (amend("p.dose", "breach: Other."), f"principles[0].breach: {KEEPS}"),
        (amend("p.dose", "not_breach: Other."), f"principles[0].not_breach: {KEEPS}"),
        (amend("p.dose", "applies: {audience: [carer]}"), f"principles[0].applies: {KEEPS}"),
        (amend("p.dose", "requires: true"), f"principles[0].requires: {KEEPS}"),
        (amend("p.dose", "source: {title: Law}"), f"principles[0].source: {KEEPS}"),
        (
            amend("p.dose", "severity: low"),
            f"principles[0].severity: 'low' is milder than the inherited 'high'; {SAY_SO}",
        ),
        (
            amend("p.dose", "action: flag"),
            f"principles[0].action: 'flag' is milder than the inherited 'redact'; {SAY_SO}",
        ),
        (
            amend("p.dose", "on_undecided: flag"),
            f"principles[0].on_undecided: 'flag' is milder than the inherited 'block'; {SAY_SO}",
        ),
        (
            amend("p.dose", "on_outage: flag"),
            f"principles[0].on_outage: 'flag' is milder than the inherited 'block'; {SAY_SO}",
        ),
        (
            amend("p.dose", "uncovered: accept"),
            f"principles[0].uncovered: 'accept' is milder than the inherited 'block'; {SAY_SO}",
        ),
        (
            amend("p.locked", "locked: false"),
            f"principles[0].locked: 'false' is milder than the inherited 'true'; {SAY_SO}",
        ),
        (
            amend("p.dose", "critics: [{pattern: {unless: [leaflet], breach: [gram]}}]"),
            "principles[0].critics[0].pattern.unless: an inherited critic keeps what it was told "
            f"here; {SAY_SO}",
        ),
        (  # any hit of the list is enough, so one more makes it milder
            amend("p.cite", "critics: [{pattern: {require: [reference]}}]"),
            "principles[0].critics[0].pattern.require: an inherited critic keeps what it was told "
            f"here; {SAY_SO}",
        ),
        (
            amend("p.dose", "critics: [{judge: {when: look}}]"),
            "principles[0].critics[0].judge.when: an inherited critic keeps what it was told "
            f"here; {SAY_SO}",
        ),
        (
            amend("p.dose", "critics: [{pattern: {case: true, breach: [gram]}}]"),
            "principles[0].critics[0].pattern.case: an inherited critic keeps what it was told "
            f"here; {SAY_SO}",
        ),
        (
            "judge: {cascade: [small]}\n",
            f"judge.cascade: changes the inherited small, large; {SAY_SO}",
        ),
        (
            "judge: {cascade: [small, medium]}\n",
            f"judge.cascade: changes the inherited small, large; {SAY_SO}",
        ),
        ("judge: {timeout_s: 9}\n", f"judge.timeout_s: changes the inherited 5.0; {SAY_SO}"),
        ("budget: {deadline_s: 11}\n", f"budget.deadline_s: changes the inherited 10.0; {SAY_SO}"),
        ("budget: {max_chars: 1001}\n", f"budget.max_chars: changes the inherited 1000; {SAY_SO}"),
        ("budget: {max_calls: 5}\n", f"budget.max_calls: changes the inherited 4; {SAY_SO}"),
        (
            "budget: {max_cost_usd: 1}\n",
            f"budget.max_cost_usd: changes the inherited 0.1; {SAY_SO}",
        ),
        ("stream: {release: auto}\n", f"stream.release: changes the inherited whole; {SAY_SO}"),
        (
            "revision: {max_attempts: 3}\n",
            f"revision.max_attempts: changes the inherited 2; {SAY_SO}",
        ),
        (
            "pii: {output: {EMAIL_ADDRESS: flag}}\n",
            f"pii.output.EMAIL_ADDRESS: 'flag' is milder than the inherited 'redact'; {SAY_SO}",
        ),
        (
            "pii: {output: {US_SSN: allow}}\n",
            f"pii.output.US_SSN: 'allow' is milder than the inherited 'mask'; {SAY_SO}",
        ),
        (
            "pii: {output: {EMAIL_ADDRESS: {action: redact, min_score: 0.9}}}\n",
            "pii.output.EMAIL_ADDRESS.min_score: a min_score of 0.9 finds less than the "
            f"inherited 0.6; {SAY_SO}",
        ),
        (
            "pii: {output: {EMAIL_ADDRESS: {action: block, min_score: 0.9}}}\n",
            "pii.output.EMAIL_ADDRESS.min_score: a min_score of 0.9 finds less than the "
            f"inherited 0.6; {SAY_SO}",
        ),
        (
            "pii: {keep: [all@x.example]}\n",
            "pii.keep: changes what is kept from inherited rules; say so under 'relax' as "
            "pii.keep, with a reason",
        ),
        (
            amend("p.dose", "severity: high"),
            "principles[0]: this adds nothing to the inherited principle; drop the entry",
        ),
    ],
    ids=lambda value: " ".join(value.split()).removeprefix("principles: - id: ")[:50],
)
def test_what_is_milder_or_other_needs_a_reason(family: Family, child: str, said: str) -> None:
    assert family.child_problems(PARENT, child) == [said]


def test_a_new_stage_of_differing_actions_needs_its_own(family: Family) -> None:
    parent = amend("p.a", "text: x\n    action: {output: flag, input: block}").replace(
        "text", "stages: [input, output]\n    text"
    )
    assert family.child_problems(parent, amend("p.a", "stages: [retrieval]")) == [
        "principles[0].stages: no action for stage 'retrieval'; the inherited ones differ by "
        "stage: give one"
    ]


def test_a_stage_cannot_be_taken_away(family: Family) -> None:
    found = family.child(PARENT, amend("p.dose", "stages: [retrieval]"))
    assert found.principle("p.dose").stages == (Stage.OUTPUT, Stage.RETRIEVAL)
    assert found.principle("p.dose").actions[Stage.RETRIEVAL] == "redact"


def test_a_graver_action_takes_doubt_along(family: Family) -> None:
    """Nobody said what a doubt leads to, so it follows the action."""
    assert family.child(PARENT, "").principle("p.plain").on_undecided == "flag"
    graver = family.child(PARENT, amend("p.plain", "action: block"))
    assert graver.principle("p.plain").on_undecided == "block"


def test_what_is_added_stands_after_what_is_inherited(family: Family) -> None:
    child = (
        amend("p.dose", "critics: [{pattern: {breach: [gram]}}, screen]")
        + "    examples: {breach: [Take 5 mg., Take six.]}\n  - {id: c.new, text: Is new.}\n"
    )
    found = family.child(PARENT, child)
    assert [p.id for p in found.principles[:5]] == [
        "p.dose", "p.plain", "p.locked", "p.cite", "c.new",
    ]  # fmt: skip
    dose = found.principle("p.dose")
    assert [use.name for use in dose.critics] == ["pattern", "negative_examples", "judge", "screen"]
    assert dose.critics[0].config.model_dump()["breach"] == (r"\b\d+ mg\b", "gram")
    assert [example.reply for example in dose.breach_examples] == ["Take 5 mg.", "Take six."]
    assert (dose.origin, found.principle("c.new").origin) == ("parent@1.0.0", "child@1.0.0")


def test_replies_of_other_languages_are_added(family: Family) -> None:
    found = family.child(PARENT, "replies: {blocked: {de: Nein.}}\n")
    assert found.reply_blocked == {"en": "No.", "de": "Nein."}
    assert family.child(PARENT, "replies: {blocked: Nope.}\n").reply_blocked == {"en": "Nope."}


def test_a_child_says_nothing_and_is_its_parent(family: Family) -> None:
    child, parent = family.child(PARENT, ""), family.load("parent")
    for name in ("principles", "budget", "judging", "release", "keep", "reply_blocked"):
        assert getattr(child, name) == getattr(parent, name)
    assert child.digest != parent.digest  # which it is, is meaning


def test_a_min_score_that_is_not_said_is_inherited(family: Family) -> None:
    found = family.child(PARENT, "pii: {output: {EMAIL_ADDRESS: block}}\n")
    use = found.principle("pii.output.EMAIL_ADDRESS").critics[0]
    assert use.config.model_dump()["min_score"] == 0.6


# -- relax and withdraw ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "set", "attribute", "value"),
    [
        ("p.dose", "{text: Other.}", "text", "Other."),
        ("p.dose", "{severity: low}", "severity", "low"),
        ("p.dose", "{action: flag}", "actions", {Stage.OUTPUT: "flag"}),
        ("p.dose", "{stages: [input]}", "actions", {Stage.INPUT: "redact"}),
        ("p.dose", "{on_undecided: flag}", "on_undecided", "flag"),
        ("p.dose", "{on_outage: flag}", "on_outage", "flag"),
        ("p.dose", "{uncovered: accept}", "uncovered", "accept"),
        ("p.dose", "{scope: reply}", "scope", "reply"),
        ("p.dose", "{applies: {audience: [carer]}}", "applies", {"audience": ("carer",)}),
        ("p.dose", "{applies: {}}", "applies", {}),
        ("p.dose", "{reply: {en: Ask.}}", "reply", {"en": "Ask."}),
        ("p.dose", "{examples: {fine: []}}", "fine_examples", ()),
        ("p.cite", "{requires: false, critics: [judge]}", "requires", False),
    ],
)
def test_relax_takes_the_place_of_what_was_said(
    family: Family, id: str, set: str, attribute: str, value: object
) -> None:
    assert getattr(family.child(PARENT, relax(id, set)).principle(id), attribute) == value


def test_relaxed_examples_leave_the_other_side(family: Family) -> None:
    dose = family.child(PARENT, relax("p.dose", "{examples: {fine: []}}")).principle("p.dose")
    assert [example.reply for example in dose.breach_examples] == ["Take 5 mg."]


def test_relax_gives_critics_and_exceptions(family: Family) -> None:
    fewer = family.child(PARENT, relax("p.dose", "{critics: [judge]}")).principle("p.dose")
    assert [use.name for use in fewer.critics] == ["judge"]
    dose = family.child(PARENT, relax("p.dose", "{unless: [leaflet]}")).principle("p.dose")
    assert dose.critics[0].config.model_dump()["unless"] == ("leaflet",)
    assert dose.critics[0].config.model_dump()["breach"] == (r"\b\d+ mg\b",)


@pytest.mark.parametrize(
    ("child", "seen"),
    [
        (relax("judge", "{cascade: [small]}"), lambda c: c.judging.cascade == ("small",)),
        (relax("judge", "{timeout_s: 30}"), lambda c: c.judging.timeout_s == 30),
        (relax("budget", "{max_calls: 40}"), lambda c: c.budget.max_calls == 40),
        (relax("budget", "{max_calls: 40}"), lambda c: c.budget.max_chars == 1000),
        (relax("stream", "{release: auto}"), lambda c: c.release == "auto"),
        (relax("revision", "{max_attempts: 0}"), lambda c: c.max_attempts == 0),
        (
            relax("pii.output.US_SSN", "{action: flag}"),
            lambda c: c.principle("pii.output.US_SSN").actions == {Stage.OUTPUT: "flag"},
        ),
        (
            relax("pii.output.EMAIL_ADDRESS", "{min_score: 0.9}"),
            lambda c: c.principle("pii.output.EMAIL_ADDRESS").actions == {Stage.OUTPUT: "redact"},
        ),
        (
            relax("pii.output.US_SSN", "{action: allow}"),
            lambda c: "pii.output.US_SSN" not in [p.id for p in c.principles],
        ),
        (relax("pii.keep", "{keep: [all@x.example]}"), lambda c: c.keep == ("all@x.example",)),
        (relax("pii.keep", "{keep: []}"), lambda c: c.keep == ()),
    ],
    ids=lambda value: " ".join(value.split())[:60] if isinstance(value, str) else "",
)
def test_settings_and_personal_data_are_relaxed(family: Family, child: str, seen: object) -> None:
    assert callable(seen)
    assert seen(family.child(PARENT, child))


def test_a_relaxed_principle_can_be_tightened_in_the_same_file(family: Family) -> None:
    child = relax("p.dose", "{action: flag}") + amend("p.dose", "severity: critical")
    dose = family.child(PARENT, child).principle("p.dose")
    assert (dose.actions, dose.severity) == ({Stage.OUTPUT: "flag"}, "critical")


def test_withdraw_takes_a_principle_away(family: Family) -> None:
    child = "withdraw:\n  - {id: p.dose, reason: r1}\n  - {id: pii.output.US_SSN, reason: r2}\n"
    found = family.child(PARENT, child)
    assert [p.id for p in found.principles] == [
        "p.plain", "p.locked", "p.cite", "pii.output.EMAIL_ADDRESS",
    ]  # fmt: skip
    assert [(a.kind, a.id, a.reason, a.by) for a in found.amendments] == [
        ("withdraw", "p.dose", "r1", "child@1.0.0"),
        ("withdraw", "pii.output.US_SSN", "r2", "child@1.0.0"),
    ]


def test_amendments_of_all_generations_are_kept(family: Family) -> None:
    family.child(PARENT, relax("p.dose", "{action: flag}", "first"))
    family.add("grandchild", relax("p.plain", "{text: Other.}", "second"), extends="child")
    assert family.load("grandchild").amendments == (
        Amendment(
            kind="relax", id="p.dose", set={"action": "flag"}, reason="first", by="child@1.0.0"
        ),
        Amendment(
            kind="relax", id="p.plain", set={"text": "Other."}, reason="second",
            by="grandchild@1.0.0",
        ),
    )  # fmt: skip


def test_an_amendment_tells_critics_as_they_are_written(family: Family) -> None:
    child = relax("p.dose", "{critics: [judge, {pattern: {breach: [gram]}}]}")
    (amendment,) = family.child(PARENT, child).amendments
    assert amendment.set == {"critics": ["judge", {"pattern": {"breach": ["gram"]}}]}


@pytest.mark.parametrize(
    ("child", "said"),
    [
        (
            relax("p.locked", "{text: x}"),
            "relax[0].id: 'p.locked' is locked by parent@1.0.0; it can only be tightened",
        ),
        (
            "withdraw: [{id: p.locked, reason: r}]\n",
            "withdraw[0].id: 'p.locked' is locked by parent@1.0.0; it can only be tightened",
        ),
        (
            relax("p.dos", "{action: flag}"),
            "relax[0].id: no parent has a principle 'p.dos'; did you mean 'p.dose'?",
        ),
        (
            "withdraw: [{id: p.dos, reason: r}]\n",
            "withdraw[0].id: no parent has a principle 'p.dos'; did you mean 'p.dose'?",
        ),
        (
            "withdraw: [{id: pii.input.US_SSN, reason: r}]\n",
            "withdraw[0].id: no parent has a principle 'pii.input.US_SSN'; did you mean "
            "'pii.output.US_SSN'?",
        ),
        (
            "withdraw: [{id: p.dose, reason: r}, {id: p.dose, reason: r}]\n",
            "withdraw[1].id: 'p.dose' is withdrawn already",
        ),
        (
            f"withdraw: [{{id: p.dose, reason: r}}]\n{relax('p.dose', '{action: flag}')}",
            "relax[0].id: 'p.dose' is withdrawn already",
        ),
        (
            f"withdraw: [{{id: p.dose, reason: r}}]\n{amend('p.dose', 'text: Again.')}",
            "principles[0].id: 'p.dose' is withdrawn here, and an id is never used again; give "
            "the new principle an id of its own",
        ),
        (
            relax("p.dose", "{action: redact}"),
            "relax[0].set: the principle says so already; drop the relaxation",
        ),
        (
            relax("p.dose", "{action: flag}")
            + "  - {id: p.dose, set: {severity: low}, reason: r}\n",
            "relax[1].id: 'p.dose' is relaxed twice here; say it in one entry",
        ),
        (relax("p.dose", "{}"), "relax[0].set: sets nothing; name what becomes milder"),
        (
            relax("p.plain", "{unless: [x]}"),
            "relax[0].set.unless: the principle has no critic 'pattern' that this could except "
            "from",
        ),
        (
            relax("p.dose", "{stages: [input], action: revise}"),
            "relax[0].set.action: 'revise' does not exist at input; give one per stage, as "
            "{input: block, output: revise}",
        ),
        (
            relax("p.dose", "{unless: ['(?=x)']}"),
            "relax[0].set.unless[0]: character 1: look-ahead is not in RE2; match what follows "
            "as well, or use `unless`",
        ),
        (
            relax("budget", "{max_calls: 4}"),
            "relax[0].set.max_calls: the constitution says so already; drop it",
        ),
        (
            relax("pii.output.US_SSN", "{action: mask}"),
            "relax[0].set: the constitution says so already; drop the relaxation",
        ),
        (
            relax("pii.keep", "{keep: [desk@x.example]}"),
            "relax[0].set: the constitution says so already; drop the relaxation",
        ),
        (
            amend("p.dos", "severity: low"),
            "principles[0]: the key 'text' is missing; did you mean 'p.dose'? No parent has "
            "'p.dos'",
        ),
    ],
    ids=lambda value: " ".join(value.split())[:60],
)
def test_what_cannot_be_amended_so_is_refused(family: Family, child: str, said: str) -> None:
    assert family.child_problems(PARENT, child) == [said]


def test_what_no_parent_says_is_not_relaxed(family: Family) -> None:
    parent = amend("p.a", "text: x")
    assert family.child_problems(parent, relax("budget", "{max_calls: 40}")) == [
        "relax[0].set.max_calls: no parent says anything about this; set it under 'budget'"
    ]
    assert family.child_problems(parent, relax("pii.keep", "{keep: [x]}")) == [
        "relax[0].id: no parent says anything about personal data; use pii.keep"
    ]


def test_what_parents_leave_unset_is_set_freely(family: Family) -> None:
    child = "judge: {cascade: [small]}\nbudget: {max_calls: 99}\nstream: {release: auto}\n"
    found = family.child(amend("p.a", "text: x"), child)
    assert (found.budget.max_calls, found.judging.cascade) == (99, ("small",))


# -- families --------------------------------------------------------------------------------------


def test_a_parent_must_be_there(family: Family) -> None:
    family.add("parent", PARENT)
    family.add("child", "", extends="parnt@^1")
    (said,) = family.problems("child")
    assert said.startswith(
        "child.yaml:3:11: extends[0]: unknown constitution 'parnt'; did you mean 'parent'?"
    )


def test_a_parent_must_be_in_the_range(family: Family) -> None:
    family.add("parent", PARENT, version="1.4.0")
    family.add("child", "", extends="parent@^2")
    assert family.problems("child") == [
        "child.yaml:3:11: extends[0]: parent is installed in version 1.4.0, which is not in '^2'; "
        "change the range after reading what changed"
    ]
    for versions in ("", "@^1", "@~1.4", "@1.4.0", '"@>=1.0 <2"'):
        text = f"'parent{versions}'".replace('"', "")
        family.add("child", "", extends=text)
        assert family.problems("child") == []


def test_a_parents_errors_are_told_in_its_own_file(family: Family) -> None:
    family.add("parent", amend("p.a", "sevrity: high"))
    family.add("child", "titel: x\n", extends="parent")
    assert family.problems("child") == [
        "child.yaml:5:1: titel: unknown key; did you mean 'title'?",
        "parent.yaml:6:5: principles[0].sevrity: unknown key; did you mean 'severity'?",
    ]


def test_a_parent_has_the_id_of_its_file(family: Family) -> None:
    family.add("parent", PARENT)
    (family.folder / "other.yaml").write_text((family.folder / "parent.yaml").read_text())
    family.add("child", "", extends="other")
    assert family.problems("child") == [
        "child.yaml:3:11: extends[0]: the file of 'other' has the id 'parent'; they must be one"
    ]


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_no_constitution_extends_itself(family: Family, length: int) -> None:
    for n in range(length):
        family.add(f"c{n}", "", extends=f"c{(n + 1) % length}")
    (said,) = family.problems("c0")
    chain = " -> ".join([*(f"c{n}" for n in range(length)), "c0"])
    assert f"extends itself: {chain}; take one of them out" in said


def test_generations_are_bounded(family: Family) -> None:
    for n in range(30):
        family.add(f"c{n}", "", extends=f"c{n + 1}")
    family.add("c30", "")
    (said,) = family.problems("c0")
    assert "more than 20 generations of parents" in said


def test_a_grandparent_reached_twice_counts_once(family: Family) -> None:
    family.add("root", PARENT)
    family.add("left", amend("l.new", "text: Is left."), extends="root")
    family.add("right", amend("r.new", "text: Is right."), extends="root@^1")
    family.add("child", "", extends="left, right")
    found = family.load("child")
    assert [p.id for p in found.principles[:6]] == [
        "p.dose", "p.plain", "p.locked", "p.cite", "l.new", "r.new",
    ]  # fmt: skip
    assert found.parents == ("root@1.0.0", "left@1.0.0", "right@1.0.0")


def test_many_ways_to_one_ancestor_take_no_time(family: Family) -> None:
    """2^15 ways up, read once each: it ends."""
    family.add("a0", PARENT)
    for n in range(1, 16):
        family.add(f"a{n}", "", extends=f"a{n - 1}, b{n - 1}" if n > 1 else "a0")
        family.add(f"b{n}", "", extends=f"a{n - 1}, b{n - 1}" if n > 1 else "a0")
    assert family.problems("a15") == []


@pytest.mark.parametrize(
    ("left", "right", "what"),
    [
        (amend("x.a", "text: One."), amend("x.a", "text: Two."), "'x.a'"),
        (
            amend("x.a", "text: One."),
            amend("x.a", "text: One.\n    severity: low"),
            "'x.a'",
        ),
        (
            "pii: {output: {US_SSN: mask}}\n",
            "pii: {output: {US_SSN: block}}\n",
            "'pii.output.US_SSN'",
        ),
        (
            "pii: {output: {US_SSN: mask}, keep: [a]}\n",
            "pii: {output: {US_SSN: mask}, keep: [b]}\n",
            "'pii.keep'",
        ),
        (
            "judge: {cascade: [small]}\n", "judge: {cascade: [large]}\n", "'judge.cascade'",
        ),
        ("replies: {blocked: A}\n", "replies: {blocked: B}\n", "'replies.blocked'"),
    ],
)  # fmt: skip
def test_parents_that_disagree_are_both_named(
    family: Family, left: str, right: str, what: str
) -> None:
    family.add("left", left)
    family.add("right", right, version="2.0.0")
    family.add("child", "", extends="left, right")
    assert family.problems("child") == [
        f"child.yaml:3:17: extends[1]: left@1.0.0 and right@2.0.0 hold {what} with different "
        "content; extend only one of them, or bring them to agree"
    ]


def test_a_parent_of_a_parent_need_not_be_named(family: Family) -> None:
    """What the nearer one changed is a conflict each; the way out is the same for all."""
    family.add("top", amend("x.a", "text: One.") + "replies: {blocked: A}\n")
    changes = relax("x.a", "{text: Two.}") + "replies: {blocked: B}\n"
    family.add("near", changes, extends="top")
    for parents, index in (("top, near", 0), ("near, top", 1)):
        family.add("child", "", extends=parents)
        column = (11, 17)[index]
        assert family.problems("child") == [
            f"child.yaml:3:{column}: extends[{index}]: near@1.0.0 extends top@1.0.0 and says "
            "otherwise of 'x.a' and 'replies.blocked'; drop 'top' from 'extends'"
        ]


def test_parents_that_agree_in_meaning_agree(family: Family) -> None:
    family.add("left", amend("x.a", "text: One.\n    severity: medium"))
    family.add("right", amend("x.a", 'text: "One."\n    stages: [output]'))
    family.add("child", "", extends="left, right")
    assert family.problems("child") == []


def test_what_parents_disagree_about_can_be_withdrawn_or_said(family: Family) -> None:
    family.add("left", amend("x.a", "text: One.") + "replies: {blocked: A}\n")
    family.add("right", amend("x.a", "text: Two.") + "replies: {blocked: B}\n")
    family.add(
        "child",
        "withdraw: [{id: x.a, reason: r}]\nreplies: {blocked: C}\n",
        extends="left, right",
    )
    assert family.load("child").reply_blocked == {"en": "C"}


def test_of_two_parents_the_stricter_budget_and_release_hold(family: Family) -> None:
    family.add("left", "budget: {max_calls: 3, max_chars: 90}\nstream: {release: auto}\n")
    family.add("right", "budget: {max_calls: 5, max_chars: 70}\nstream: {release: whole}\n")
    family.add("child", "", extends="left, right")
    found = family.load("child")
    assert (found.budget.max_calls, found.budget.max_chars, found.release) == (3, 70, "whole")


def test_two_parents_bring_their_languages(family: Family) -> None:
    family.add("left", "languages: [en, de]\n")
    family.add("right", "languages: [fr, en]\n")
    family.add("child", "", extends="left, right")
    assert family.load("child").languages == ("en", "de", "fr")


def test_a_parent_that_only_keeps_is_heard(family: Family) -> None:
    family.add("left", "pii: {output: {US_SSN: mask}}\n")
    family.add("right", "pii: {output: {US_SSN: allow}, keep: [a]}\n")
    family.add("child", "", extends="left, right")
    assert "left@1.0.0 and right@1.0.0 hold" in "".join(family.problems("child"))


# -- whatever the child says -----------------------------------------------------------------------

GRAVITY = ("flag", "redact", "revise", "block", "escalate")
DOUBTS = ("flag", "block", "escalate")
UNCOVERED = ("accept", "block", "escalate")
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(GRAVITY),
        "on_undecided": st.sampled_from(DOUBTS),
        "on_outage": st.sampled_from(DOUBTS),
        "uncovered": st.sampled_from(UNCOVERED),
        "severity": st.sampled_from(["low", "medium", "high", "critical"]),
        "stages": st.lists(st.sampled_from(["output", "retrieval"]), min_size=1, unique=True),
        "locked": st.booleans(),
    },
)


def grave(found: Constitution) -> list[int]:
    """How grave each thing is that must not get milder."""
    principle = found.principle("p.dose")
    return [
        GRAVITY.index(principle.actions[Stage.OUTPUT]),
        DOUBTS.index(principle.on_undecided),
        DOUBTS.index(principle.on_outage),
        UNCOVERED.index(principle.uncovered),
        len(principle.critics),
    ]


@given(CHANGES)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_without_relax_nothing_gets_milder(family: Family, changes: dict[str, object]) -> None:
    """Whatever a child writes under an inherited id is refused, or no milder in any way."""
    written = "\n    ".join(f"{key}: {_yaml(value)}" for key, value in changes.items())
    child = amend("p.dose", written) if changes else ""
    if family.child_problems(PARENT, child) == []:
        pairs = zip(grave(family.load("child")), grave(family.load("parent")), strict=True)
        assert all(own >= inherited for own, inherited in pairs)


def _yaml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return str(value).lower()


@given(st.randoms(use_true_random=False))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_inheritance_does_not_depend_on_the_order_of_keys(
    family: Family, source: random.Random
) -> None:
    child = (
        relax("p.dose", "{text: Other., unless: [leaflet], action: flag}")
        + "budget: {max_chars: 10, max_calls: 1}\n"
        + "replies: {blocked: {de: Nein., fr: Non.}}\n"
        + "pii: {output: {US_SSN: block, IBAN_CODE: mask}, input: {US_SSN: mask}}\n"
        + amend("p.dose", "severity: critical\n    reply: {de: Frag., fr: Demandez.}")
    )
    digests = {family.child(PARENT, child).digest}
    for name in ("parent", "child"):
        file = family.folder / f"{name}.yaml"
        value = read_source(file.read_text(), name).data
        file.write_text(json.dumps(shuffled(value, source)))
    assert {*digests, family.load("child").digest} == digests


@pytest.mark.parametrize("order", ["one, two", "two, one"])
@pytest.mark.parametrize("how", ["withdraw", "relax"])
def test_a_lock_of_one_parent_holds_whatever_another_says(
    family: Family, order: str, how: str
) -> None:
    family.add("one", "principles:\n  - {id: p.bad, text: Is not bad., action: block}\n")
    family.add("two", "principles:\n  - {id: p.bad, locked: true}\n", extends="one@^1")
    milder = (
        "{id: p.bad, reason: x}"
        if how == "withdraw"
        else ("{id: p.bad, set: {action: flag}, reason: x}")
    )
    family.add("child", f"{how}: [{milder}]\n", extends=order)
    assert "'p.bad' is locked by two@1.0.0; it can only be tightened" in "\n".join(
        family.problems("child")
    )


# -- where exchanges start -------------------------------------------------------------------------

ROUTED = PARENT.replace(
    "timeout_s: 5}",
    "timeout_s: 5, routing: {start: [{severity: high, role: small}], confirm: breach}}",
)


def test_routing_is_inherited_and_may_be_said_again(family: Family) -> None:
    inherited = family.child(ROUTED, "").judging.routing
    assert (inherited.start[0].role, inherited.confirm) == ("small", "breach")
    again = "judge: {routing: {confirm: breach, start: [{role: small, severity: high}]}}\n"
    assert family.child(ROUTED, again).judging.routing == inherited
    defaults = again.replace("confirm", "audit_share: 0, confirm")
    assert family.child_problems(ROUTED, defaults) == [], "defaults that are written out are none"


def test_routing_that_no_parent_speaks_of_is_free(family: Family) -> None:
    child = family.child(PARENT, "judge: {routing: {audit_share: 0.1}}\n")
    assert child.judging.routing.audit_share == 0.1


def test_other_routing_than_inherited_is_said_under_relax(family: Family) -> None:
    said = family.child_problems(ROUTED, "judge: {routing: {audit_share: 0.1}}\n")
    assert said == [f"judge.routing: changes the inherited mapping; {SAY_SO}"]
    relaxed = family.child(ROUTED, relax("judge", "{routing: {audit_share: 0.1}}")).judging
    assert (relaxed.routing.confirm, relaxed.routing.audit_share) == ("nothing", 0.1)
    assert relaxed.cascade == ("small", "large")


@pytest.mark.parametrize(
    ("child", "said"),
    [
        (
            "judge: {cascade: [medium, large]}\n",
            "judge: the cascade has no 'small', only medium, large; name one of those, or add it "
            "to the cascade",
        ),
        (
            relax("judge", "{routing: {start: [{role: medium}]}}"),
            "relax[0].set.routing.start[0].role: the cascade has no 'medium', only small, large; "
            "name one of those, or add it to the cascade",
        ),
    ],
)
def test_inherited_routing_must_fit_the_cascade(family: Family, child: str, said: str) -> None:
    assert family.child_problems(ROUTED, child) == [said]


def test_parents_that_route_otherwise_are_both_named(family: Family) -> None:
    cascade = "cascade: [small, large]"
    family.add("left", f"judge: {{{cascade}, routing: {{confirm: breach}}}}\n")
    family.add("right", f"judge: {{{cascade}, routing: {{audit_share: 0.1}}}}\n")
    family.add("child", "", extends="left, right")
    (problem,) = family.problems("child")
    assert "hold 'judge.routing' with different content" in problem


@pytest.mark.parametrize(
    ("id", "set", "told"),
    [
        (
            "tools.arguments.mail", "{action: flag}",
            "what is under 'tools' is relaxed together; write {id: tools, set: {rules: {mail: …}}}",
        ),
        (
            "tools.allow", "{allow: [x]}",
            "what is under 'tools' is relaxed together; write {id: tools, set: {allow: …}}",
        ),
        (
            "pii.input", "{US_SSN: allow}",
            "expected pii.<stage>.<ENTITY>, as 'pii.output.EMAIL_ADDRESS', or pii.keep",
        ),
        (
            "budget.max_calls", "{max_calls: 30}",
            "what is under 'budget' is relaxed together; write {id: budget, set: {max_calls: …}}",
        ),
        (
            "attachments.retrieval", "{image: flag}",
            "what is under 'attachments' is relaxed together; "
            "write {id: attachments, set: {retrieval: …}}",
        ),
        (
            "attachment", "{retrieval: flag}",
            "no principle is called so; did you mean 'attachments'?",
        ),
        ("cache", "{ttl_s: 1}", "'cache' needs no reason; say it at the top of the file"),
        ("replies", "{blocked: x}", "'replies' needs no reason; say it at the top of the file"),
    ],
    ids=lambda value: value.split(" ")[0],
)  # fmt: skip
def test_a_relaxation_under_a_wrong_name_is_told_the_right_one(
    family: Family, id: str, set: str, told: str
) -> None:
    family.add("parent", PARENT)
    family.add("child", relax(id, set), extends="parent")
    assert family.problems("child") == [f"child.yaml:6:10: relax[0].id: {told}"]


@pytest.mark.parametrize(
    ("id", "set", "told"),
    [
        ("p.plain", "{actoin: flag}", "unknown key; did you mean 'action'?"),
        ("budget", "{cascade: [small]}", "unknown key; expected deadline_s, max_calls, max_chars"),
        ("pii.output.US_SSN", "{keep: [x]}", "unknown key; expected action, min_score"),
        ("attachments", "{tool_call: flag, input: flag}", "did you mean 'tool_result'?"),
    ],
)
def test_a_relaxation_knows_the_keys_of_what_it_relaxes(
    family: Family, id: str, set: str, told: str
) -> None:
    family.add("parent", PARENT)
    family.add("child", relax(id, set), extends="parent")
    (problem,) = family.problems("child")
    assert told in problem


@pytest.mark.parametrize("id", ["attachments", "budget", "tools"])
def test_settings_are_relaxed_and_not_withdrawn(family: Family, id: str) -> None:
    family.add("parent", PARENT)
    family.add("child", f"withdraw: [{{id: {id}, reason: r}}]\n", extends="parent")
    (problem,) = family.problems("child")
    assert f"no parent has a principle '{id}'; it is no principle: say under 'relax'" in problem
