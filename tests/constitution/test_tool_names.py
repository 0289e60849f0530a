"""Patterns for names of tools, held to what regular expressions and lists of names say."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.constitution.tool_names import covered, covers, fits, is_pattern, overlaps

NAMES = st.text("ab_", max_size=8)
PATTERNS = st.text("ab_*", max_size=6)
SHORT = st.text("ab*", max_size=3)
EVERY = ["".join(x) for n in range(6) for x in itertools.product("abz", repeat=n)]
"""Longer than two short patterns need to differ, with a letter that is in neither."""


def test_a_star_stands_for_any_signs_or_none() -> None:
    assert fits("mcp__github__get_issue", "mcp__github__*")
    assert fits("mcp__github__", "mcp__github__*")
    assert fits("send_mail", "send_mail")
    for name in ("mcp__github", "MCP__github__x", "xmcp__github__x", "mcp__gitlab__x"):
        assert not fits(name, "mcp__github__*")
    assert not fits("a", "a*a")
    assert is_pattern("a*")
    assert not is_pattern("a?[b]")


@given(NAMES, PATTERNS)
def test_what_fits_is_what_an_expression_says(name: str, pattern: str) -> None:
    source = "".join(".*" if sign == "*" else re.escape(sign) for sign in pattern)
    assert fits(name, pattern) == (re.fullmatch(source, name) is not None)


@given(SHORT, SHORT)
def test_covering_and_overlapping_are_said_of_all_names(one: str, other: str) -> None:
    of_one = {name for name in EVERY if fits(name, one)}
    of_other = {name for name in EVERY if fits(name, other)}
    assert covers(one, other) == (of_other <= of_one)
    assert overlaps(one, other) == bool(of_one & of_other)
    assert covered(other, [one]) == covers(one, other)


@pytest.mark.parametrize("sign", ["a", "a*", "*a*b"])
def test_patterns_of_many_stars_come_to_an_end(sign: str) -> None:
    pattern = (sign * 64)[:64]
    assert fits("a" * 64, "*a" * 32)
    assert not fits("a" * 10_000, "*a" * 31 + "*b")
    assert overlaps(pattern, "*" + "b*" * 31) == ("*" in sign)
