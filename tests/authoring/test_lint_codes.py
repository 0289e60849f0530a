"""Every code has a constitution that has it and a near one that has not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from authoring_samples import codes, findings, principle, written

from guardrails.authoring.codes import CODES, Code, reference

ROOT = Path(__file__).parents[2]


def pattern(*breach: str, **more: Any) -> list[Any]:
    return [{"pattern": {"breach": breach, **more}}, "judge"]


def only_pattern(*breach: str, **more: Any) -> list[Any]:
    return [{"pattern": {"breach": breach, **more}}]


def examples(breach: list[str], fine: list[str]) -> dict[str, list[str]]:
    return {"breach": breach, "fine": fine}


def other(**changes: Any) -> dict[str, Any]:
    """A second principle without fault."""
    return principle(
        **{
            "id": "care.sources",
            "text": "Names where a number comes from.",
            "examples": examples(
                ["Sales rose by nine percent."], ["Nine percent, says the report."]
            ),
            **changes,
        }
    )


def many(count: int, **changes: Any) -> list[dict[str, Any]]:
    words = "apples bridges candles dragons engines forests gardens harbours islands jewels kites"
    return [
        principle(
            id=f"topic.{word}",
            text=f"Keeps {word} out of {word[:3]}{word[::-1]} and {word[::-1]}.",
            examples=examples([f"Buy {word} today, dear friend."], [f"Why {word}?"]),
            **changes,
        )
        for word in words.split()[:count]
    ]


def commented(comment: str, **changes: Any) -> str:
    """A file with a comment above its principle's id."""
    return written(principle(**changes)).replace('"id": "tone', f'{comment}\n"id": "tone')


LOOKING = {"id": "tone.odd", "critics": pattern("odd", look=["strange"])}


def starting(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"cascade": ["small", "large"], "routing": {"start": rules}}


PASSING = {"name": "all is well", "reply": "Good day.", "judge": {}, "expect": "allow"}
CALL = {
    "name": "a payment",
    "stage": "tool_call",
    "tool": {"name": "pay"},
    "expect": "block",
}


def calling(tool: str, **more: Any) -> dict[str, Any]:
    return {**CALL, "tool": {"name": tool}, "expect": "allow", **more}


def naming(*paths: str, **more: Any) -> dict[str, Any]:
    """A rule that lets in these arguments and no others."""
    return {"arguments": dict.fromkeys(paths, more), "additional": False}


CASES: dict[str, tuple[str, str]] = {
    "L101": (
        written(principle(text="Usually does not insult the person who asks.")),
        written(principle(text="Keeps to the usual form of address.")),
    ),
    "L102": (
        written(principle(text="Does not insult the person, and must not flatter them.")),
        written(principle(text="Speaks and listens as a colleague does.")),
    ),
    "L103": (
        written(principle(critics=only_pattern("stupid"))),
        written(principle(critics=pattern("stupid"))),
    ),
    "L104": (
        written(principle(), other(text="Does not insult any person who asks.")),
        written(principle(), other(text="Does not insult any person who is absent from the room.")),
    ),
    "L105": (
        written(principle(), other(text="Always insults the person who asks.")),
        written(principle(), other(text="Greets the person who asks.")),
    ),
    "L106": (written(principle(source=None)), written(principle())),
    "L107": (
        written(attachments={"input": {"image": "flag"}}),
        written(attachments={"input": {"image": "block"}}),
    ),
    "L201": (
        written(principle(examples={"breach": ["What a stupid thing to ask."]})),
        written(principle()),
    ),
    "L202": (
        written(principle(examples=examples(["You are a fool, sir."], ["you are a fool sir"]))),
        written(principle(examples=examples(["You are a fool, sir."], ["You are no fool, sir."]))),
    ),
    "L203": (
        written(principle(critics=only_pattern("dumb"))),
        written(principle(critics=only_pattern("dumb", "stupid"))),
    ),
    "L204": (
        written(
            principle(),
            other(examples=examples(["One in ten agrees."], ["What a stupid thing to ask!"])),
        ),
        written(principle(), other()),
    ),
    "L301": (
        written(principle(critics=pattern("stupid", "question"))),
        written(principle(critics=pattern("stupid", "question", unless=["page"]))),
    ),
    "L302": (
        written(principle(critics=pattern("stupid.{900}.{900}.{900}x"))),
        written(principle(critics=pattern("stupid.{900}x"))),
    ),
    "L303": (
        written(principle(critics=pattern("stupid", "so stupid"))),
        written(principle(critics=pattern(r"\bstupid\b", "so stupidly"))),
    ),
    "L401": (written(*many(11)), written(*many(10))),
    "L402": (
        written(principle(breach="A sharp word. " * 700, not_breach="A joke is none. " * 500)),
        written(principle(breach="A sharp word. " * 700, not_breach="A joke is none.")),
    ),
    "L403": (
        written(
            principle(severity="high", critics=["judge"]),
            principle(**LOOKING, severity="low"),
            judge=starting({"severity": "high", "look": True, "role": "large"}),
        ),
        written(
            principle(severity="high", critics=["judge"]),
            principle(**LOOKING, severity="critical"),
            judge=starting(
                {"severity": "high", "look": True, "role": "large"},
                {"severity": "critical", "role": "large"},
                {"min_chars": 500, "role": "large"},
            ),
        ),
    ),
    "L501": (
        written(principle(critics=pattern("stupid")), replies={"blocked": "A stupid thing."}),
        written(principle(critics=pattern("stupid")), replies={"blocked": "A thing."}),
    ),
    "L502": (
        written(
            principle(
                critics=pattern("stupid"),
                action="revise",
                remedy={"replace_sentence": "How stupid."},
            )
        ),
        written(
            principle(critics=pattern("stupid"), action="revise", remedy={"rewrite": "Not stupid."})
        ),
    ),
    "L503": (
        written(languages=["en", "de"], replies={"blocked": {"en": "No."}}),
        written(
            languages=["en", "de"],
            replies={key: {"en": "No.", "de": "Nein."} for key in ("blocked", "unavailable")},
        ),
    ),
    "L601": (written(tests=[]), written()),
    "L602": (
        written(tests=[{"name": "open", "reply": "Hm.", "expect": "allow"}]),
        written(tests=[{"name": "open", "reply": "Hm.", "judge": {}, "expect": "allow"}]),
    ),
    "L701": (
        written(extends=["household"], withdraw=[{"id": "manners.shoes", "reason": "TODO: say"}]),
        written(
            extends=["household"],
            withdraw=[{"id": "manners.shoes", "reason": "Nobody enters a house here."}],
        ),
    ),
    "L801": (
        written(tools={"allow": ["search", "pay"], "deny": ["pay"]}),
        written(tools={"allow": ["search"], "deny": ["pay"]}),
    ),
    "L802": (
        written(tools={"allow": ["search"], "rules": {"pay": {"additional": False}}}),
        written(tools={"deny": ["search"], "rules": {"pay": {"additional": False}}}),
    ),
    "L803": (
        written(tools={"allow": ["search", "pay"], "rules": {"pay": {"never_from": ["web"]}}}),
        written(tools={"allow": ["se*", "pay"], "rules": {"pay": {"never_from": ["search"]}}}),
    ),
    "L804": (
        written(
            tools={"rules": {"pay": {"arguments": {"to": {"match": "a{9}", "max_length": 8}}}}}
        ),
        written(
            tools={"rules": {"pay": {"arguments": {"to": {"match": "a{8}", "max_length": 8}}}}}
        ),
    ),
    "L805": (
        written(tools={"deny": ["pay"]}),
        written(tools={"deny": ["pay"]}, tests=[PASSING, CALL]),
    ),
    "L806": (
        written(tools={"allow": ["mcp__gihub__*"]}, tests=[PASSING, calling("mcp__github__get")]),
        written(tools={"allow": ["mcp__github__*"]}, tests=[PASSING, calling("mcp__github__get")]),
    ),
    "L807": (
        written(tools={"deny": ["get_*", "get_all"]}),
        written(tools={"allow": ["get_*", "get_all"], "deny": ["*_all"]}),
    ),
    "L808": (
        written(tools={"rules": {"*": naming("id"), "get": naming("to")}}),
        written(tools={"rules": {"*": naming("id", "to"), "get": naming("to")}}),
    ),
    "L809": (
        written(tools={"deny": ["search"], "rules": {"pay": {"never_from": ["serach"]}}}),
        written(tools={"deny": ["search"], "rules": {"pay": {"never_from": ["research"]}}}),
    ),
    "L901": (
        commented("# lint: ignore L106", source=None),
        commented("# lint: ignore L106 ours alone", source=None),
    ),
    "L902": (
        commented("# lint: ignore L106 ours alone"),
        commented("# lint: ignore L106 ours alone", source=None),
    ),
    "L903": (
        commented("# lint: ignore L999 ours alone"),
        commented("# lint: ignored by most"),
    ),
}


def told(code: str, text: str) -> list[str]:
    return [f"{f.where}: {f.message}; {f.hint}" for f in findings(text) if f.code == code]


def test_patterns_are_told_by_what_they_stand_for() -> None:
    def of(code: str, **tools: Any) -> list[str]:
        return told(code, written(tools=tools))

    (denied,) = of("L801", allow=["web_*", "web_get", "x"], deny=["web_*"])[1:]
    assert denied.startswith("tools.allow[1]: 'web_get' is denied, too, by 'web_*'")
    assert not of("L801", allow=["web_*"], deny=["web_get"])
    rule = {"additional": False}
    assert not of("L802", allow=["web_*"], rules={"web_get": rule, "*_get": rule})
    assert of("L802", rules={"a": {"arguments": {"to": {}}}})
    assert not of("L802", rules={"a": naming("to")})
    (unreached,) = of("L802", allow=["web_*"], rules={"wed_get": rule})
    assert unreached.startswith("tools.rules.wed_get: 'wed_get' is not allowed")
    (slip,) = of("L806", deny=["mcp__gihub__*", "mcp__github__*"])[:1]
    assert slip.endswith("did you mean 'mcp__github__*'?")


def test_a_misspelt_source_is_told_with_what_was_meant() -> None:
    def of(code: str, *never_from: str, **tools: Any) -> list[str]:
        rules = {"pay": {"never_from": never_from}}
        return told(code, written(tools={"rules": rules, **tools}))

    (listed,) = of("L803", "serach", allow=["search", "pay"])
    assert listed.endswith("no tool 'serach' may be called; did you mean 'search'?")
    (open_list,) = of("L809", "serach", deny=["search"])
    assert open_list.endswith("named anywhere else; did you mean 'search'?")
    assert of("L809", "serach", allow=["*", "search"])
    assert not of("L803", "serach", allow=["*", "search"])
    assert not of("L803", "web_*", allow=["*_get", "pay"])
    for near in ("searches", "sarch", "search2", "Search", "seaxch"):
        assert bool(of("L809", near, deny=["search"])) == (near != "searches")


def test_a_misspelt_call_in_a_test_is_told() -> None:
    tools = {"allow": ["search"]}
    slip = written(tools=tools, tests=[PASSING, calling("serach", expect="block")])
    assert told("L809", slip)[0].startswith("tests[1].tool.name: no tool 'serach'")
    meant = calling("serach", expect="block", breaches=["tools.allow"])
    assert not told("L809", written(tools=tools, tests=[PASSING, meant]))


def test_rules_of_which_one_lets_in_what_the_other_refuses_are_told() -> None:
    def of(**rules: Any) -> list[str]:
        return told("L808", written(tools={"rules": rules}))

    wide = {"mcp__*": naming("repo", required=True)}
    (named, missing) = of(**wide, mcp__get=naming("number"))
    assert "mcp__get: the rule for 'mcp__get' lets in no 'repo', which 'mcp__*' requires" in named
    assert "mcp__get.arguments.number: the rule for 'mcp__*' lets in no 'number'" in missing
    assert not of(**wide, mcp__get=naming("repo"))
    assert not of(**wide, mcp__get={"arguments": {"repo.name": {}}})
    assert not of(**wide, other=naming("number"))
    assert not of(**wide, **{"*_get": naming("number")})
    assert (
        of(**{"mcp__*": {"arguments": {"*": {}}, "additional": False}}, mcp__get=naming("x")) == []
    )


@pytest.mark.parametrize("code", CASES)
def test_a_code_is_found_where_it_holds(code: str) -> None:
    assert code in codes(CASES[code][0])


@pytest.mark.parametrize("code", CASES)
def test_a_code_is_not_found_where_it_only_nearly_holds(code: str) -> None:
    assert code not in codes(CASES[code][1])


def test_the_table_has_every_code() -> None:
    assert list(CASES) == list(CODES)


def test_a_constitution_without_fault_has_no_findings() -> None:
    assert findings(written()) == []


@pytest.mark.parametrize("code", CASES)
def test_a_finding_names_its_place_and_how_to_mend_it(code: str) -> None:
    text = CASES[code][0]
    for found in findings(text):
        assert found.line <= text.count("\n") + 1
        assert found.column >= 1
        assert found.message
        assert found.hint
        assert str(found).startswith(f"sample.yaml:{found.line}:{found.column}: {found.code} ")


def test_the_documentation_is_the_table_of_codes() -> None:
    """If this fails: write `guardrails.authoring.codes.reference()` to docs/lint.md."""
    assert (ROOT / "docs" / "lint.md").read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.id)
def test_every_code_says_what_to_write(code: Code) -> None:
    """In the format's own words, so that an author knows where to begin."""
    assert re.search(r"`[^`]+`", code.mend)
    assert not re.match(r"(?:fix|improve|change|check|consider|mend)\b", code.mend)


def test_a_principle_that_no_test_reaches_is_given_one_to_fill_in() -> None:
    rule = principle(stages=["input", "output"], action={"input": "block", "output": "redact"})
    text = json.dumps(
        {"id": "sample", "version": "1.0.0", "principles": [rule], "tests": [PASSING]}
    )
    (found,) = (found for found in findings(text) if found.code == "L601")
    sketch = found.hint.partition("such as ")[2]
    filled = yaml.safe_load(sketch.replace("a quote", "stupid").replace("…", "A stupid question."))
    tested = {**json.loads(text), "tests": [filled]}
    assert "L601" not in codes(json.dumps(tested))
    assert filled["expect"] == "block"


def test_a_language_that_lacks_a_reply_is_given_a_place() -> None:
    text = written(languages=["en", "de"], replies={"blocked": {"en": "No."}})
    hints = {found.hint for found in findings(text) if found.code == "L503"}
    assert "add one for that language, as {en: …, de: …}" in hints
