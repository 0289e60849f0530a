"""The section `tools`: what loads, what is refused and where, and how a child may tighten it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from constitution_samples import REGISTRY

from guardrails.authoring.difference import difference
from guardrails.constitution.load import load_constitution, parse_constitution
from guardrails.constitution.model import Constitution
from guardrails.errors import ConstitutionError

HEAD = "id: c\nversion: 1.0.0\nprinciples: []\ntools:\n"
WHOLE: dict[str, Any] = {
    "allow": ["search", "send_mail", "read_web"],
    "deny": ["rm"],
    "action": "flag",
    "severity": "high",
    "reply": "Not that tool.",
    "rules": {
        "send_mail": {
            "arguments": {
                "to": {"match": "[a-z]+@a\\.example", "required": True},
                "n": {"min": 1, "max": 9, "never_from": ["search"]},
            },
            "additional": False,
            "never_from": ["read_web"],
            "action": "escalate",
        }
    },
}


def load(tools: Any, **more: Any) -> Constitution:
    data = {"id": "c", "version": "1.0.0", "principles": [], "tools": tools, **more}
    return parse_constitution(json.dumps(data), file="c.yaml", catalogue=REGISTRY)


def problems(text: str) -> list[str]:
    with pytest.raises(ConstitutionError) as raised:
        parse_constitution(text, file="c.yaml", catalogue=REGISTRY)
    return [str(problem) for problem in raised.value.problems]


def test_it_becomes_principles() -> None:
    found = load(WHOLE)
    assert {p.id: set(p.actions.values()) for p in found.principles} == {
        "tools.allow": {"flag"},
        "tools.deny": {"flag"},
        "tools.arguments.send_mail": {"escalate"},
        "tools.never-from.send_mail": {"escalate"},
    }
    for principle in found.principles:
        assert {str(stage) for stage in principle.stages} == {"output", "tool_call"}
        assert (principle.severity, principle.reply) == ("high", {"en": "Not that tool."})
        assert principle.on_undecided == (
            "flag" if "escalate" not in principle.actions.values() else "block"
        )
        assert principle.origin == "c@1.0.0"
        assert principle.place.startswith("c.yaml:")


def test_nothing_comes_of_nothing() -> None:
    assert load({}).principles == ()


def test_the_digest_follows_the_meaning() -> None:
    def changed(**said: Any) -> str:
        return load({**WHOLE, **said}).digest

    assert changed() == load(json.loads(json.dumps(WHOLE))).digest
    assert len({changed(), changed(allow=["search"]), changed(deny=[]), changed(rules={})}) == 4
    one = {"rules": {"a": {"arguments": {"to": {"match": "x"}}}}}
    listed = {"rules": {"a": {"arguments": {"to": {"match": ["x"]}}}}}
    assert load(one).digest == load(listed).digest


WRONG = {
    "unknown key": ("  alow: [a]", "c.yaml:5:3: tools.alow: unknown key; did you mean 'allow'?"),
    "a name": ("  allow: [send mail]", "c.yaml:5:11: tools.allow[0]: expected a tool's name"),
    "another alphabet": ("  deny: [s\u0435arch]", "c.yaml:5:10: tools.deny[0]: expected a tool"),
    "a pattern of another kind": (
        "  allow: ['send_?']",
        "c.yaml:5:11: tools.allow[0]: expected a tool's name of letters, digits and _ . : / -, as "
        "'send_mail', or with * for any of them, as 'mcp__github__*'; found 'send_?'",
    ),
    "an unquoted star": (
        "  deny: [*_x]",
        "c.yaml:5:10: an alias (*); write the value out, or quote",
    ),
    "no list": ("  allow: a", "c.yaml:5:10: tools.allow: expected a list, found a text; put it in"),
    "an argument beside the arguments": (
        "  rules: {a: {to: {match: x}}}",
        "c.yaml:5:15: tools.rules.a.to: unknown key; what an argument may be stands under "
        "'arguments'; else action,",
    ),
    "a rule beside the rules": (
        "  a: {arguments: {}}",
        "c.yaml:5:3: tools.a: unknown key; a rule for a tool stands under 'rules'; else action,",
    ),
    "no key of an argument": (
        "  rules: {a: {arguments: {to: {zz: x}}}}",
        "c.yaml:5:32: tools.rules.a.arguments.to.zz: unknown key; expected hosts, match,",
    ),
    "twice": ("  allow: [a, a]", "c.yaml:5:10: tools.allow: the list holds one thing twice"),
    "an action": ("  action: redact", "c.yaml:5:11: tools.action: unknown value 'redact'"),
    "no rule": ("  rules:\n    a: {}", "c.yaml:6:8: tools.rules.a: the rule says nothing"),
    "a pattern": (
        "  rules:\n    a: {arguments: {to: {match: '('}}}",
        "c.yaml:6:33: tools.rules.a.arguments.to.match: RE2 refuses it",
    ),
    "a pattern in a list": (
        "  rules:\n    a: {arguments: {to: {match: ['a', '(?=b)']}}}",
        "c.yaml:6:39: tools.rules.a.arguments.to.match[1]: RE2 refuses it",
    ),
    "a pattern that hits everywhere": (
        "  rules:\n    a: {arguments: {to: {refuse: 'x*'}}}",
        "c.yaml:6:34: tools.rules.a.arguments.to.refuse: matches the empty text",
    ),
    "a path": (
        "  rules:\n    a: {arguments: {to..b: {}}}",
        "c.yaml:6:21: tools.rules.a.arguments.to..b: expected an argument's name",
    ),
    "a range": (
        "  rules:\n    a: {arguments: {n: {min: 2, max: 1}}}",
        "c.yaml:6:24: tools.rules.a.arguments.n: no number is at least 'min' and at most 'max'",
    ),
    "a host": (
        "  rules:\n    a: {arguments: {u: {hosts: ['https://a.example']}}}",
        "c.yaml:6:33: tools.rules.a.arguments.u.hosts[0]: expected a host in lower case",
    ),
    "a key of an argument": (
        "  rules:\n    a: {arguments: {to: {mach: x}}}",
        "c.yaml:6:26: tools.rules.a.arguments.to.mach: unknown key; did you mean 'match'?",
    ),
    "an empty value": ("  allow:", "c.yaml:5:3: tools.allow: is empty"),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
def test_what_is_refused_is_told_by_its_place(text: str, told: str) -> None:
    (said,) = problems(HEAD + text + "\n")
    assert said.startswith(told)


def test_a_section_with_a_mistake_takes_no_test_with_it() -> None:
    ids = ["tools.allow", "tools.arguments.a", "tools.never-from.a", "pii.output.US_SSN"]
    test = {"name": "t", "reply": "x", "expect": "block", "breaches": [*ids, "a.b"]}
    data = {"id": "c", "version": "1.0.0", "principles": [], "tests": [test]}
    wrong = {**data, "tools": {"allow": ["a b"]}, "pii": {"output": {"SSN": "mask"}}}
    told = "\n".join(problems(json.dumps(wrong)))
    assert told.count("\n") == 2
    assert "tools.allow[0]" in told
    assert "pii.output.SSN" in told
    assert "no principle 'a.b'" in told
    assert len(problems(json.dumps(data))) == 5


@pytest.mark.parametrize(
    ("given", "stage"),
    [
        ({"tool": {"name": "a"}}, "tool_call"),
        ({"tool": {"name": "a"}, "prompt": "x", "results": {"a": "x"}}, "tool_call"),
        ({"tool": {"name": "a"}, "result": "x"}, "tool_result"),
        ({"result": "x"}, "tool_result"),
        ({"documents": ["x"], "prompt": "x"}, "retrieval"),
        ({"reply": "x", "prompt": "x"}, "output"),
        ({"prompt": "x"}, "input"),
    ],
)
def test_what_a_test_gives_says_its_stage(given: dict[str, Any], stage: str) -> None:
    (test,) = load({}, tests=[{"name": "t", "expect": "allow", **given}]).tests
    assert test.stage == stage


def test_ids_of_the_section_are_taken() -> None:
    (said,) = problems("id: c\nversion: 1.0.0\nprinciples: [{id: tools.allow, text: No.}]\n")
    assert "taken by the format itself" in said


# -- children ------------------------------------------------------------------------------------


def child(
    folder: Path, tools: Any = None, *, parents: dict[str, Any] | None = None, **more: Any
) -> Any:
    """A child of one parent, or of several by name."""
    parents = parents or {"p": WHOLE}
    for name, section in parents.items():
        data = {"id": name, "version": "1.0.0", "principles": [], "tools": section}
        (folder / f"{name}.yaml").write_text(json.dumps(data))
    data = {"id": "c", "version": "1.0.0", "extends": [*parents], "principles": [], **more}
    if tools is not None:
        data["tools"] = tools
    (folder / "c.yaml").write_text(json.dumps(data))
    return load_constitution(folder / "c.yaml", catalogue=REGISTRY)


def of_mail(**rule: Any) -> dict[str, Any]:
    return {"rules": {"send_mail": rule}}


TIGHTER = {
    "fewer": {"allow": ["search"]},
    "more denied": {"deny": ["search"]},
    "a rule": {"rules": {"search": {"arguments": {"q": {"max_length": 9}}}}},
    "graver": {"action": "block", "severity": "critical"},
    "a narrower number": of_mail(arguments={"n": {"max": 5}}),
    "one more thing to refuse": of_mail(arguments={"to": {"refuse": "boss"}}),
    "from more tools": of_mail(never_from=["search"]),
    "from more tools into one": of_mail(arguments={"n": {"never_from": ["read_web"]}}),
    "required": of_mail(arguments={"n": {"required": True}}),
}


@pytest.mark.parametrize("tools", TIGHTER.values(), ids=TIGHTER)
def test_a_child_may_tighten(tools: Any, tmp_path: Path) -> None:
    found = child(tmp_path, tools)
    changes = difference(load(WHOLE), found).changes
    assert {c.effect for c in changes if c.about.startswith("tools.")} == {"tightened"}


WIDER = {
    "more": ({"allow": ["search", "pay"]}, "tools.allow[1]: allows 'pay', which the inherited"),
    "milder": (of_mail(action="block"), "send_mail.action: 'block' is milder"),
    "milder for all": ({"severity": "low"}, "tools.severity: 'low' is milder"),
    "a wider number": (of_mail(arguments={"n": {"max": 10}}), "n.max: is wider"),
    "another pattern": (of_mail(arguments={"to": {"match": ".*"}}), "to.match: is wider"),
    "not required": (of_mail(arguments={"to": {"required": False}}), "to.required: is wider"),
    "another argument": (of_mail(arguments={"cc": {}}), "cc: is an argument that the inherited"),
    "any argument": (of_mail(additional=True), "additional: lets in arguments"),
}


@pytest.mark.parametrize(("tools", "told"), WIDER.values(), ids=WIDER)
def test_a_child_may_not_loosen(tools: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConstitutionError) as raised:
        child(tmp_path, tools)
    (problem,) = raised.value.problems
    assert told in str(problem)
    assert "say so under 'relax', with a reason" in str(problem)


def relaxation(**said: Any) -> list[Any]:
    return [{"id": "tools", "set": said, "reason": "Because it is so here."}]


def test_a_child_may_relax_with_a_reason(tmp_path: Path) -> None:
    found = child(
        tmp_path, relax=relaxation(allow=["search", "pay"], **of_mail(never_from=["pay"]))
    )
    by_id = {p.id: p for p in found.principles}
    assert "pay" in by_id["tools.allow"].text
    assert "tools.arguments.send_mail" not in by_id
    changes = difference(load(WHOLE), found).of("relaxed")
    assert {c.reason for c in changes if c.about.startswith("tools.")} == {"Because it is so here."}


def test_a_milder_action_alone_leaves_the_rule_as_it_was(tmp_path: Path) -> None:
    found = child(tmp_path, relax=relaxation(**of_mail(action="flag", reply="Not so.")))
    was, now = (c.principle("tools.arguments.send_mail") for c in (load(WHOLE), found))
    assert set(now.actions.values()) == {"flag"}
    assert now.critics == was.critics
    assert "arguments" in str(now.critics)
    with pytest.raises(ConstitutionError, match="the constitution says so already") as raised:
        child(tmp_path, relax=relaxation(**of_mail(action="escalate")))
    assert len(raised.value.problems) == 1
    with pytest.raises(ConstitutionError, match="no parent has a rule for 'send_male'") as raised:
        child(tmp_path, relax=relaxation(rules={"send_male": {"action": "flag"}}))
    assert len(raised.value.problems) == 1


def test_a_relaxation_that_does_nothing_is_an_error(tmp_path: Path) -> None:
    for said in ({"allow": WHOLE["allow"]}, of_mail(**WHOLE["rules"]["send_mail"])):
        with pytest.raises(ConstitutionError, match="says so already"):
            child(tmp_path, relax=relaxation(**said))
    with pytest.raises(ConstitutionError, match="no parent has a rule for 'pay'"):
        child(tmp_path, relax=relaxation(rules={"pay": {"additional": False}}))
    with pytest.raises(ConstitutionError, match="no parent says anything about tools"):
        child(tmp_path, parents={"p": {}}, relax=relaxation(allow=["a"]))


@pytest.mark.parametrize("id", [p.id for p in load(WHOLE).principles])
def test_a_child_may_withdraw_one_thing(id: str, tmp_path: Path) -> None:
    found = child(tmp_path, withdraw=[{"id": id, "reason": "It does not hold here."}])
    kept = {p.id for p in load(WHOLE).principles} - {id}
    assert {p.id for p in found.principles} == kept


def test_what_is_not_inherited_cannot_be_withdrawn(tmp_path: Path) -> None:
    with pytest.raises(
        ConstitutionError, match=r"no parent has a principle 'tools\.arguments\.pay'"
    ):
        child(tmp_path, withdraw=[{"id": "tools.arguments.pay", "reason": "It does not hold."}])


def test_of_several_parents_the_stricter_holds(tmp_path: Path) -> None:
    parents = {
        "p": {"allow": ["a", "b"], "deny": ["x"], "action": "flag"},
        "q": {"allow": ["b", "c"], "deny": ["y"], "rules": {"b": {"additional": False}}},
    }
    found = child(tmp_path, parents=parents)
    by_id = {p.id: p for p in found.principles}
    assert by_id["tools.allow"].text == "Calls no other tools than b."
    assert by_id["tools.deny"].text == "Does not call these tools: x, y."
    assert {a for p in found.principles for a in p.actions.values()} == {"block"}


MCP: dict[str, Any] = {
    "allow": ["mcp__github__*", "search"],
    "deny": ["mcp__github__delete_*"],
    "rules": {
        "mcp__github__*": {
            "arguments": {"repo": {"match": "ours/.*"}},
            "never_from": ["web_*"],
        }
    },
}


def test_patterns_become_principles() -> None:
    found = {p.id: p.text for p in load(MCP).principles}
    assert found == {
        "tools.allow": "Calls no other tools than mcp__github__*, search.",
        "tools.deny": "Does not call these tools: mcp__github__delete_*.",
        "tools.arguments.mcp__github__*": "Calls each tool mcp__github__* only with arguments that "
        "the rules for it allow.",
        "tools.never-from.mcp__github__*": "Hands each tool mcp__github__* nothing that was copied "
        "from a result of web_*.",
    }


NARROWER = {
    "one of a pattern": {"allow": ["mcp__github__get_issue", "search"]},
    "a narrower pattern": {"allow": ["mcp__github__get_*"]},
    "a wider denial": {"deny": ["mcp__github__*"]},
    "a rule for one": {"rules": {"mcp__github__get_issue": {"additional": False}}},
}


@pytest.mark.parametrize("tools", NARROWER.values(), ids=NARROWER)
def test_a_child_may_narrow_a_pattern(tools: Any, tmp_path: Path) -> None:
    found = child(tmp_path, tools, parents={"p": MCP})
    changes = difference(load(MCP), found).changes
    assert {c.effect for c in changes if c.about.startswith("tools.")} == {"tightened"}
    back = difference(found, load(MCP)).changes
    assert {c.effect for c in back if c.about.startswith("tools.")} == {"relaxed"}


@pytest.mark.parametrize("name", ["*", "mcp__*", "mcp__git*", "*search", "Search", "x"])
def test_a_child_may_not_widen_a_pattern(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConstitutionError, match=r"allows .* which the inherited list does not"):
        child(tmp_path, {"allow": [name]}, parents={"p": MCP})


def test_of_several_parents_only_what_all_patterns_allow_is_allowed(tmp_path: Path) -> None:
    parents = {
        "p": {"allow": ["mcp__*", "web_get", "a*", "search"]},
        "q": {"allow": ["mcp__github__*", "web_*", "*b", "search"]},
    }
    (found,) = child(tmp_path, parents=parents).principles
    assert found.text == "Calls no other tools than web_get, search, mcp__github__*."


def test_the_difference_of_patterns_is_that_of_what_they_allow(tmp_path: Path) -> None:
    def effects(was: list[str], now: list[str]) -> set[str]:
        changes = difference(load({"allow": was}), load({"allow": now})).changes
        return {c.effect for c in changes if c.about == "tools.allow" and c.key != "text"}

    assert effects(["a*"], ["ab"]) == {"tightened"}
    assert effects(["a*"], ["a*", "ab"]) == {"changed"}
    assert effects(["a*"], ["a*", "b"]) == {"relaxed"}
    assert effects(["a*", "c"], ["ab*", "b"]) == {"tightened", "relaxed"}


def test_a_pattern_can_be_withdrawn_by_its_id(tmp_path: Path) -> None:
    id = "tools.arguments.mcp__github__*"
    reason = {"id": id, "reason": "It does not hold here."}
    found = child(tmp_path, parents={"p": MCP}, withdraw=[reason])
    assert id not in {p.id for p in found.principles}


def test_parents_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    parents = {"p": of_mail(additional=False), "q": of_mail(never_from=["web"])}
    with pytest.raises(ConstitutionError, match=r"p@1\.0\.0 and q@1\.0\.0 hold the rule for"):
        child(tmp_path, parents=parents)


def test_results_stand_in_tests_of_calls_only() -> None:
    test = {"name": "t", "prompt": "Hi.", "results": {"web": "x"}, "expect": "allow"}
    with pytest.raises(ConstitutionError, match="'results' is for tests at the stage tool_call"):
        load({}, tests=[test])
