"""The digest is of meaning: no formatting changes it, every change of meaning does."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
import yaml
from constitution_samples import Family, loaded, shuffled, written
from constitution_strategies import files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrails.constitution.digest import canonical, principle_digest

WHOLE: dict[str, Any] = {
    "schema": 1,
    "id": "a",
    "version": "1.0.0",
    "title": "T",
    "owner": "O",
    "languages": ["en", "de"],
    "judge": {
        "cascade": ["small", "large"],
        "timeout_s": 5,
        "routing": {
            "start": [
                {"severity": "critical", "role": "large"},
                {"look": True, "min_chars": 100, "role": "small"},
            ],
            "confirm": "breach",
            "audit_share": 0.25,
            "reversals": {"share": 0.2, "samples": 10},
        },
    },
    "budget": {
        "deadline_s": 9, "max_chars": 100, "max_calls": 3, "max_tokens": 50, "max_cost_usd": 1,
    },
    "revision": {"max_attempts": 2},
    "stream": {"release": "whole"},
    "cache": {"ttl_s": 60},
    "replies": {"blocked": {"en": "No.", "de": "Nein."}, "unavailable": "Later."},
    "principles": [
        {
            "id": "p.one",
            "text": "Says no b.",
            "breach": "Says b.",
            "not_breach": "Spells it.",
            "severity": "high",
            "stages": ["output", "retrieval"],
            "scope": "reply",
            "requires": False,
            "action": {"output": "revise", "retrieval": "redact"},
            "on_undecided": "flag",
            "on_outage": "escalate",
            "uncovered": "block",
            "locked": True,
            "applies": {"audience": ["patient"]},
            "critics": [
                {"pattern": {"breach": ["b+"], "unless": ["c"], "look": ["d"]}},
                {"judge": {"when": "look"}},
            ],
            "remedy": {"rewrite": "Leave b out.", "replace_sentence": "Ask."},
            "examples": {"breach": ["b", {"prompt": "Say b.", "reply": "b"}], "fine": ["c"]},
            "reply": {"en": "Ask."},
            "source": {"title": "Rule", "clause": "1"},
        },
        {"id": "p.two", "text": "Is kind."},
    ],
    "pii": {"output": {"US_SSN": "mask", "IBAN_CODE": {"action": "redact"}}, "keep": ["x", "y"]},
    "tests": [{"name": "t", "reply": "b", "expect": "revise"}],
}  # fmt: skip


def digest(value: dict[str, Any]) -> str:
    return loaded(written(value)).digest


def changed(path: str, new: Any) -> dict[str, Any]:
    """The sample with another value at `principles.0.text`; None takes the key away."""
    value = copy.deepcopy(WHOLE)
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    place: Any = value
    for step in way:
        place = place[step]
    if new is None:
        del place[last]
    else:
        place[last] = new
    return value


ONE = "principles.0"


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("id", "b"), ("version", "1.0.1"), ("languages", ["de", "en"]), ("languages", ["en"]),
        ("judge.cascade", ["large", "small"]), ("judge.timeout_s", 6), ("budget.deadline_s", 8),
        ("judge.routing", None), ("judge.routing.start", None), ("judge.routing.confirm", None),
        ("judge.routing.start.0.severity", "high"), ("judge.routing.start.0.role", "small"),
        ("judge.routing.start.1", None), ("judge.routing.start.1.look", None),
        ("judge.routing.start.1.min_chars", 101), ("judge.routing.audit_share", 0.5),
        ("judge.routing.reversals", None), ("judge.routing.reversals.share", 0.1),
        ("judge.routing.reversals.samples", None),
        ("budget.max_chars", 99), ("budget.max_calls", 2), ("budget.max_tokens", 49),
        ("budget.max_cost_usd", 0.5), ("budget.max_cost_usd", None),
        ("revision.max_attempts", 1), ("stream.release", "auto"), ("cache.ttl_s", 61),
        ("replies.blocked.en", "Nope."), ("replies.blocked.de", None), ("replies.unavailable", "x"),
        ("replies.unavailable", {"de": "Later."}), ("principles", WHOLE["principles"][::-1]),
        ("principles.1", None), ("principles.1.id", "p.three"), (f"{ONE}.text", "Says no B."),
        (f"{ONE}.breach", "x"), (f"{ONE}.breach", None), (f"{ONE}.not_breach", "x"),
        (f"{ONE}.severity", "low"), (f"{ONE}.scope", "part"), (f"{ONE}.action.retrieval", "block"),
        (f"{ONE}.on_undecided", "block"), (f"{ONE}.on_outage", "block"),
        (f"{ONE}.uncovered", "accept"), (f"{ONE}.locked", False), (f"{ONE}.applies", None),
        (f"{ONE}.applies.audience", ["carer"]), (f"{ONE}.critics.0.pattern.breach", ["b"]),
        (f"{ONE}.critics.0.pattern.unless", None), (f"{ONE}.critics.0.pattern.look", ["e"]),
        (f"{ONE}.critics.0.pattern.case", True), (f"{ONE}.critics.1", "judge"),
        (f"{ONE}.remedy.rewrite", None), (f"{ONE}.remedy.replace_sentence", ""),
        (f"{ONE}.remedy.replace_sentence", None), (f"{ONE}.examples.breach", ["b"]),
        (f"{ONE}.examples.fine", ["b"]), (f"{ONE}.examples.breach.1.prompt", "Say B."),
        (f"{ONE}.reply.en", "Ask!"), (f"{ONE}.reply", None), ("pii.output.US_SSN", "redact"),
        ("pii.output.US_SSN", {"action": "mask", "min_score": 0.6}), ("pii.output.US_SSN", None),
        ("pii.keep", ["x"]), ("pii.input", {"US_SSN": "mask"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_another_meaning_is_another_digest(path: str, new: Any) -> None:
    assert digest(changed(path, new)) != digest(WHOLE)


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("schema", None), ("title", "Other"), ("owner", None), ("tests", None),
        ("tests.0.expect", "block"), (f"{ONE}.source", {"title": "Other"}), (f"{ONE}.source", None),
        (f"{ONE}.requires", None), (f"{ONE}.stages", ["retrieval", "output"]),
        (f"{ONE}.critics", WHOLE["principles"][0]["critics"][::-1]),
        (f"{ONE}.critics.0.pattern.case", False), (f"{ONE}.critics.0.pattern.require", []),
        ("principles.1.severity", "medium"), ("principles.1.stages", ["output"]),
        ("principles.1.action", "block"), ("principles.1.action", {"output": "block"}),
        ("principles.1.on_undecided", "block"), ("principles.1.locked", False),
        ("principles.1.critics", ["judge", "negative_examples"]),
        ("principles.1.critics", ["negative_examples", {"judge": {"when": "open"}}]),
        ("defaults", {"uncovered": "accept"}), ("extends", []), ("relax", []),
        ("pii.output.US_SSN", {"action": "mask", "min_score": 0.5}),
        ("pii.output.URL", "allow"), ("pii.keep", ["y", "x", "x"]),
        ("replies.unavailable", {"en": "Later."}), ("budget.deadline_s", 9.0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_same_meaning_is_the_same_digest(path: str, new: Any) -> None:
    assert digest(changed(path, new)) == digest(WHOLE)


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def commented(text: str) -> str:
    """With a comment and an empty line before each of the outermost keys."""
    lines = text.splitlines(keepends=True)
    return "# first\n" + "".join(
        f"\n# on {line}{line}" if line[:1].isalpha() else line for line in lines
    )


@given(files(), st.randoms(use_true_random=False), st.booleans(), st.integers(20, 200))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_formatting_changes_the_digest(
    value: dict[str, Any], source: random.Random, flow: bool, width: int
) -> None:
    other = shuffled(value, source)
    dumped = yaml.dump(
        other, Dumper=Dumper, default_flow_style=flow, width=width, sort_keys=False,
        allow_unicode=True,
    )  # fmt: skip
    ways = [
        json.dumps(other, ensure_ascii=False, separators=(",", ":")),
        json.dumps(other, ensure_ascii=False, indent=3),
        dumped,
        dumped.replace("\n", "\r\n"),
        "\ufeff" + dumped,
        dumped if flow else commented(dumped),
    ]
    assert {loaded(way).digest for way in ways} == {digest(value)}


@given(files())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_canonical_form_is_json(value: dict[str, Any]) -> None:
    form = canonical(loaded(written(value)))
    assert json.loads(json.dumps(form, allow_nan=False)) == form


def test_reasons_are_no_meaning(family: Family) -> None:
    parent = "principles: [{id: p.a, text: x}, {id: p.b, text: y}]\n"
    digests = set()
    for reason in ("one", "other"):
        child = (
            f"withdraw: [{{id: p.b, reason: {reason}}}]\n"
            f"relax: [{{id: p.a, set: {{action: flag}}, reason: {reason}}}]\n"
        )
        digests.add(family.child(parent, child).digest)
    assert len(digests) == 1


def test_what_a_parent_means_is_meant(family: Family) -> None:
    one = family.child("principles: [{id: p.a, text: x}]\n", "").digest
    other = family.child("principles: [{id: p.a, text: y}]\n", "").digest
    assert one != other


def test_it_makes_no_difference_which_file_says_it(family: Family) -> None:
    """A child of one that holds it all equals, but for its name, the file that holds it all."""
    whole = "principles: [{id: p.a, text: x}]\nbudget: {max_calls: 3}\n"
    child = family.child(whole, "")
    family.add("child", whole)
    assert family.load("child").digest == child.digest


def test_a_fallback_does_not_hang_on_the_order_of_a_file() -> None:
    """Other languages get the first reply there is, so which is first must not be formatting."""
    orders = ({"de": "Nein.", "zh": "不"}, {"zh": "不", "de": "Nein."})
    found = [loaded(written(changed(f"{ONE}.reply", order))) for order in orders]
    assert [list(f.principles[0].reply or {}) for f in found] == [["de", "zh"]] * 2
    assert found[0].digest == found[1].digest


def test_a_principles_digest_is_its_own() -> None:
    before, after = (loaded(written(v)) for v in (WHOLE, changed(f"{ONE}.text", "Other.")))
    one, two = (
        [principle_digest(principle) for principle in found.principles] for found in (before, after)
    )
    assert one[0] != two[0]
    assert one[1:] == two[1:]
    assert len(set(one)) == len(one)


def test_the_form_is_pinned() -> None:
    """Records and approvals name digests: a change of the canonical form raises `FORM`."""
    assert digest(changed("judge.routing", None)) == PINNED
    assert digest(WHOLE) == PINNED_WITH_ROUTING


def test_routing_that_says_nothing_leaves_the_digest_that_a_file_had_before_there_was_any() -> None:
    for said in ({}, {"confirm": "nothing"}, {"audit_share": 0}, {"audit_share": 0.0}):
        assert digest(changed("judge.routing", said)) == PINNED


PINNED_WITH_ROUTING = "sha256:bf8a75d92b29cb21f5c71a345d043a7557ca27716e17730fc4b6ad2e0c8eede0"
PINNED = "sha256:a6f3d60ce03934e11c2ed55ffc84fadfed7159e120b3fad23fe0db0ec6573ec8"
