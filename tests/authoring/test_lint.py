"""What lint speaks of, and what silences it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from authoring_samples import REGISTRY, codes, findings, loaded, principle, written
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from guardrails.authoring.codes import CODES, LintFinding
from guardrails.authoring.lint import lint
from guardrails.errors import ConstitutionError

CHILD = """\
id: child
version: 1.0.0
extends: [household]
principles:
{principles}
tests: []  # lint: ignore L601 of no interest here
"""


def child(*lines: str) -> str:
    return CHILD.format(principles="\n".join(f"  {line}" for line in lines) or "  []")


def test_what_is_inherited_is_not_linted() -> None:
    assert [found.code for found in findings(child())] == []


def test_what_a_child_adds_to_an_inherited_principle_is_linted() -> None:
    text = child(
        "- id: manners.shoes",
        "  critics: [{pattern: {breach: ['x.{900}.{900}.{900}x']}}]",
        "  examples: {breach: [Come in whatever you wear.]}",
    )
    assert [(found.code, found.line) for found in findings(text)] == [("L302", 6), ("L203", 7)]


def test_a_pattern_that_hits_an_inherited_fine_example_is_told_where_it_stands() -> None:
    text = child("- id: manners.shoes", "  critics: [{pattern: {breach: [nobody]}}]")
    assert [(found.code, found.line) for found in findings(text)] == [("L301", 6)]


def test_a_stage_counts_what_is_inherited() -> None:
    rules = [
        principle(id=f"n.{n}", text=f"Topic {n}{n} x{n} y{n} z{n} stays out.") for n in range(10)
    ]
    assert "L401" not in codes(written(*rules))
    assert "L401" in codes(written(*rules, extends=["household"]))


async def test_lint_may_be_called_with_a_loop_running() -> None:
    assert lint(loaded(written()), written(), REGISTRY) == []


def test_findings_come_in_the_order_of_the_file() -> None:
    found = findings(written(principle(source=None, text="Usually; and so on."), extends=[]))
    assert found == sorted(found, key=lambda item: (item.line, item.column))


RULE = """\
id: sample
version: 1.0.0
principles:
{above}
  - id: tone.insults{after}
    text: {text}
    examples: {{breach: [What a stupid thing to ask.], fine: [That is on page two.]}}
tests:
  - {{name: one, reply: Such a bother., judge: {{tone.insults: {{breach: bother}}}}, expect: block}}
"""


def commented(*, above: str = "", after: str = "", text: str = "Does not insult people.") -> str:
    return RULE.format(above=above, after=after, text=text)


IGNORES: dict[str, tuple[str, list[str]]] = {
    "nothing said": (commented(), ["L106"]),
    "on the line": (commented(after=" # lint: ignore L106 ours alone"), []),
    "on the line above": (commented(above="# lint: ignore L106 ours alone"), []),
    "with other comments between": (
        commented(above="# lint: ignore L106 ours alone\n\n  # about insults"),
        [],
    ),
    "after other words": (commented(after="  # ours; # lint: ignore L106 ours alone"), []),
    "at the end of the line above": (
        commented(above="  # x").replace("principles:", "principles: # lint: ignore L106 ours"),
        ["L902", "L106"],
    ),
    "without a reason": (commented(after=" # lint: ignore L106"), ["L106", "L901"]),
    "of another code": (
        commented(after=" # lint: ignore L101 never a hedge"),
        ["L106", "L902"],
    ),
    "of no code": (commented(after=" # lint: ignore"), ["L106", "L903"]),
    "of an unknown code": (commented(after=" # lint: ignore L0 because"), ["L106", "L903"]),
    "of the code about ignores": (
        commented(after=" # lint: ignore L901 because"),
        ["L106", "L903"],
    ),
    "inside a quoted text": (
        commented(text='"Says # lint: ignore L106 x"', after=" # lint: ignore L106 ours alone"),
        [],
    ),
    "inside a block": (
        commented(text="|\n      Does not insult\n      # lint: ignore L102 x\n      people."),
        ["L106", "L102"],
    ),
    "after a quoted text with a sign": (
        commented(text='"Usually # is a sign." # lint: ignore L101 it is about signs'),
        ["L106"],
    ),
    "two, one above the other": (
        commented(
            text="Usually kind; polite.",
            after=" # lint: ignore L106 ours alone\n"
            "    # lint: ignore L101 a habit\n"
            "    # lint: ignore L102 one and the same",
        ),
        [],
    ),
}


@pytest.mark.parametrize("name", IGNORES)
def test_a_comment_silences_one_code_on_one_line(name: str) -> None:
    text, expected = IGNORES[name]
    assert codes(text) == expected


# -- any constitution that loads ---------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "usually",
        "not",
        "kill",
        "Kill you.",
        "etc",
        "и",
        "没有",
        "؟",
        "x" * 50,
        "\u200bzero",
        "#",
        "a;b",
    ]
)
TEXTS = st.lists(WORDS | st.text(max_size=8), min_size=1, max_size=8).map(" ".join)
PATTERNS = st.sampled_from(
    ["kill", "kill you", r"\bkill\b", "k.*l", "没有", "(?:a|b)+", "[^a]", "x{60}"]
)
STAGES = st.sampled_from(["input", "output", "tool_call", "tool_result", "retrieval"])
EXAMPLES = st.lists(TEXTS | st.fixed_dictionaries({"prompt": TEXTS, "reply": TEXTS}), max_size=3)
CRITICS = st.lists(
    st.sampled_from(["negative_examples", "judge", "screen", "secrets"])
    | st.fixed_dictionaries(
        {
            "pattern": st.fixed_dictionaries(
                {"breach": st.lists(PATTERNS, min_size=1, max_size=4)},
                optional={"unless": st.lists(PATTERNS, max_size=2), "case": st.booleans()},
            )
        }
    ),
    min_size=1,
    max_size=3,
)
RULES = st.fixed_dictionaries(
    {"id": st.sampled_from("abcdefgh"), "text": TEXTS},
    optional={
        "breach": TEXTS,
        "not_breach": TEXTS,
        "stages": st.lists(STAGES, min_size=1, max_size=5, unique=True),
        "action": st.sampled_from(["flag", "redact", "block", "escalate"]),
        "requires": st.booleans(),
        "critics": CRITICS,
        "examples": st.fixed_dictionaries({}, optional={"breach": EXAMPLES, "fine": EXAMPLES}),
        "reply": TEXTS | st.dictionaries(st.sampled_from(["en", "de"]), TEXTS, min_size=1),
    },
)
TESTS = st.fixed_dictionaries(
    {"name": TEXTS, "reply": TEXTS, "expect": st.sampled_from(["allow", "flag", "block"])},
    optional={"prompt": TEXTS, "judge": st.just({}), "language": st.sampled_from(["en", "de"])},
)
HEADS = st.fixed_dictionaries(
    {"id": st.just("any"), "version": st.just("1.0.0")},
    optional={
        "languages": st.lists(st.sampled_from(["en", "de", "pt-br"]), min_size=1, unique=True),
        "extends": st.just(["household"]),
        "replies": st.fixed_dictionaries({}, optional={"blocked": TEXTS, "unavailable": TEXTS}),
        "pii": st.just({"output": {"EMAIL_ADDRESS": "redact"}}),
        "tests": st.lists(TESTS, max_size=3),
    },
)
COMMENTS = st.sampled_from(
    ["", "# lint: ignore L106 so be it", "# lint: ignore", "# lint:ignore L1"]
)


def file(head: dict[str, Any], rules: list[dict[str, Any]], comments: list[str]) -> str:
    lines = json.dumps({**head, "principles": rules}, indent=1, ensure_ascii=False).split("\n")
    return "\n".join(
        f"{line} {comments[number % len(comments)]}" for number, line in enumerate(lines)
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much], deadline=None)
@given(
    HEADS,
    st.lists(RULES, max_size=5, unique_by=lambda rule: rule["id"]),
    st.lists(COMMENTS, min_size=1, max_size=5),
)
def test_lint_has_a_word_on_any_constitution_that_loads(
    head: dict[str, Any], rules: list[dict[str, Any]], comments: list[str]
) -> None:
    text = file(head, rules, comments)
    try:
        constitution = loaded(text)
    except ConstitutionError:
        assume(False)
        raise
    found = lint(constitution, text, REGISTRY)
    assert all(isinstance(item, LintFinding) and item.code in CODES for item in found)
    assert lint(constitution, text, REGISTRY) == found
