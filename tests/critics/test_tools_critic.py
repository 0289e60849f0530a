"""The critic `tools`: names, arguments and copies, of either side of each boundary."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critics.tools.arguments import ArgumentRules
from critics.tools.copying import MOST, RUN, TooMuchError, Traces, identifiers
from critics.tools.names import alike, is_plain
from guardrails.constitution.tool_names import fits
from guardrails.constitution.tools import ArgumentRule
from guardrails.text.normalise import normalise
from guardrails.wire.tools import read_arguments

# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["send-mail", "SendMail", "SEND_MAIL", "send.mail", "send__mail"])
def test_a_spelling_is_alike(name: str) -> None:
    assert is_plain(name)
    assert alike("send_mail", name)


@pytest.mark.parametrize(
    "name", [None, "", " send_mail", "send_mail\n", "s\u0435nd", "a" * 65, "a b"]
)
def test_a_name_that_could_pass_for_another_is_not_plain(name: str | None) -> None:
    assert not is_plain(name)


def test_other_names_are_not_alike() -> None:
    assert not alike("send_mail", "send_mails")
    assert not alike("_", "-")


ALIKE = {
    "send_*": ["send_mail", "SendMail", "send-mail", "SEND.MAIL", "send", "Send_"],
    "*_delete": ["repo_delete", "repoDelete", "REPO-delete"],
    "mcp__github__*": ["mcp__github__x", "mcp.github.x", "mcpGithub/x", "MCP__GitHub__x"],
    "*admin*": ["admin", "is_administrator", "ADMIN"],
    "get_*_all_*": ["get_x_all_y", "getXAllY", "get_all_all_all"],
    "_*": ["_x"],
    "*": ["x", "_"],
}
NOT_ALIKE = {
    "send_*": ["sender", "resend_mail", "mail_send", "sendmail"],
    "*_delete": ["undelete", "delete_repo"],
    "mcp__github__*": ["mcp__githubs__x", "mcp__gitlab__x", "mcp__github2__x"],
    "get_*_all_*": ["get_x_tall_y", "get_x_all"[:-1]],
    "_*": ["x_", "x"],
}


@pytest.mark.parametrize(
    ("pattern", "name"), [(p, name) for p, names in ALIKE.items() for name in names]
)
def test_a_name_looks_like_one_of_a_pattern(pattern: str, name: str) -> None:
    assert alike(name, pattern)


@pytest.mark.parametrize(
    ("pattern", "name"), [(p, name) for p, names in NOT_ALIKE.items() for name in names]
)
def test_a_name_in_other_words_does_not(pattern: str, name: str) -> None:
    assert not alike(name, pattern)


@given(st.text("aB_-*", max_size=8), st.text("aB_-.", max_size=10))
def test_what_fits_a_pattern_looks_like_one_of_its_names(pattern: str, name: str) -> None:
    if fits(name, pattern):
        assert alike(name, pattern)


def test_names_of_any_length_come_to_an_end() -> None:
    assert not alike("aB" * 20_000, "*_a" * 20 + "*_c")


# -- arguments -----------------------------------------------------------------------------------


def faults(
    rules: dict[str, dict[str, Any]], arguments: Any, *, additional: bool = True
) -> list[str]:
    made = {
        path: ArgumentRule.model_validate_json(json.dumps(said)) for path, said in rules.items()
    }
    return list(ArgumentRules(made, additional=additional).faults(arguments))


MAIL = {"match": r"[a-z]+@a\.example"}
WEB = {"hosts": ["a.example", "*.b.example"]}
GOOD: list[tuple[dict[str, Any], Any]] = [
    (MAIL, "bo@a.example"),
    (MAIL, ["bo@a.example", "al@a.example", None]),
    (MAIL, None),
    ({"match": ["1|2", "x"]}, 2),
    ({"match": "true|false"}, True),
    ({"match": "(?i)a+"}, "aA"),
    ({"refuse": "boss"}, "the bo ss"),
    ({"refuse": "boss"}, {"to": ["x", 1, None]}),
    ({"one_of": [1, "a", True]}, 1.0),
    ({"one_of": ["a", "b"]}, ["a", "b", "a"]),
    (WEB, "https://a.example/x?y=z#w"),
    (WEB, "http://x.y.b.example:8080"),
    (WEB, "https://A.EXAMPLE/"),
    ({"min": 0, "max": 1}, 1),
    ({"min": 0.5}, 0.5),
    ({"max_length": 3}, "abc"),
    ({}, {"any": ["thing"]}),
]
BAD: list[tuple[dict[str, Any], Any]] = [
    (MAIL, "bo@a.example.evil.example"),
    (MAIL, "bo@a.example\n"),
    (MAIL, "x\nbo@a.example"),
    (MAIL, "BO@a.example"),
    (MAIL, "b\u043e@a.example"),
    (MAIL, ["bo@a.example", "x"]),
    (MAIL, [["bo@a.example"], [["x"]]]),
    (MAIL, {"address": "bo@a.example"}),
    (MAIL, ""),
    ({"match": r"\d"}, "\u0663"),
    ({"match": ".*"}, "a\nb"),
    ({"refuse": "boss"}, "the BOSS"),
    ({"refuse": "boss"}, "the \uff42oss"),
    ({"refuse": "boss"}, "the bo\u200bss"),
    ({"refuse": "boss"}, {"boss": 1}),
    ({"refuse": "boss"}, [{"a": {"b": ["boss"]}}]),
    ({"one_of": [1, "a"]}, True),
    ({"one_of": [1, "a"]}, "1"),
    (WEB, "https://c.example/"),
    (WEB, "https://b.example/"),
    (WEB, "https://a.example@c.example/"),
    (WEB, "https://c.example\\@a.example/"),
    (WEB, "https://a.example\\.c.example/"),
    (WEB, "https://xa.example/"),
    (WEB, "https://a.example.c.example/"),
    (WEB, "https://a.example./"),
    (WEB, "https://a.example:80:80/"),
    (WEB, "https://a.ex\u0430mple/"),
    (WEB, "javascript://a.example/"),
    (WEB, "//a.example/"),
    (WEB, " https://a.example/"),
    (WEB, "https://a.example/\nhttps://c.example"),
    (WEB, "https:a.example"),
    (WEB, 1),
    ({"max": 1}, 1.5),
    ({"max": 1}, "1"),
    ({"max": 1}, True),
    ({"min": 1}, 0),
    ({"max": 10**308}, 10**400),
    ({"max_length": 3}, "abcd"),
]


@pytest.mark.parametrize(("rule", "value"), GOOD)
def test_a_value_that_fits(rule: dict[str, Any], value: Any) -> None:
    assert faults({"a": rule}, {"a": value}) == []


@pytest.mark.parametrize(("rule", "value"), BAD)
def test_a_value_that_does_not(rule: dict[str, Any], value: Any) -> None:
    found = faults({"a": rule}, {"a": value})
    assert found
    assert all(fault.startswith("argument 'a' ") for fault in found)


PLACES: list[tuple[dict[str, Any], Any, list[str]]] = [
    ({"a.b": {"max": 1}}, {"a": {"b": 2}}, ["argument 'a.b' is more than 'max'"]),
    ({"/a/b.c": {"max": 1}}, {"a": {"b.c": 2}}, ["argument 'a.b.c' is more than 'max'"]),
    ({"/a~1b": {"max": 1}}, {"a/b": 2}, ["argument 'a/b' is more than 'max'"]),
    ({"a.*.b": {"max": 1}}, {"a": [{"b": 1}, {"b": 2}]}, ["argument 'a.*.b' is more than 'max'"]),
    ({"a.*.b": {"max": 1}}, {"a": {"x": {"b": 2}}}, ["argument 'a.*.b' is more than 'max'"]),
    ({"a.b": {"max": 1}}, {"a": [{"b": 2}, {"b": 0}]}, ["argument 'a.b' is more than 'max'"]),
    ({"a.b": {"max": 1}}, {"a": "text"}, ["argument 'a' is no object"]),
    ({"a.b": {"max": 1}}, {}, []),
    ({"a.b": {"required": True}}, {}, ["argument 'a' is missing"]),
    ({"a.b": {"required": True}}, {"a": {}}, ["argument 'a.b' is missing"]),
    ({"a": {"required": True}}, {"a": None}, ["argument 'a' is missing"]),
    ({"a": {"required": True}}, {"a": []}, ["argument 'a' is missing"]),
    ({"a": {"required": True}}, {"a": [None, [None]]}, ["argument 'a' is missing"]),
    ({"a.b": {"required": True}}, {"a": []}, ["argument 'a' is missing"]),
    ({"a.b": {"required": True}}, {"a": [{"b": []}]}, ["argument 'a.b' is missing"]),
    ({"a": {"required": True}}, {"a": [None, 0]}, []),
    ({"a": {}}, {"A": 1}, ["the call holds a name that looks like another argument's"]),
    (
        {"a": {}},
        {"a": 1, "\uff41": 2},
        ["the call holds a name that looks like another argument's"],
    ),
    ({"a_b": {}}, {"aB": 1}, ["the call holds a name that looks like another argument's"]),
    (
        {"a.b": {}},
        {"a": {"B": 1}},
        ["argument 'a' holds a name that looks like another argument's"],
    ),
]


@pytest.mark.parametrize(("rules", "arguments", "told"), PLACES)
def test_a_fault_names_the_place(rules: dict[str, Any], arguments: Any, told: list[str]) -> None:
    assert faults(rules, arguments) == told


def test_other_arguments_are_refused_at_every_level_that_is_named() -> None:
    rules: dict[str, dict[str, Any]] = {"a": {}, "b.c": {}, "d.*.e": {}}
    fine = {"a": {"any": 1}, "b": {"c": 1}, "d": [{"e": 1}]}
    assert faults(rules, fine, additional=False) == []
    for wrong in ({"x": 1}, {"b": {"x": 1}}, {"d": [{"x": 1}]}, {"": 1}):
        assert faults(rules, {**fine, **wrong}, additional=False)
        assert faults(rules, {**fine, **wrong}) == []


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
JSON = st.recursive(
    SCALARS,
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=5), inside, max_size=4)
    ),
    max_leaves=12,
)
RULES: dict[str, dict[str, Any]] = {
    "a": MAIL,
    "b": WEB,
    "c.d": {"refuse": "x"},
    "c.*.e": {"min": 1, "max_length": 2},
    "f": {"one_of": ["a", 1]},
}


@given(st.dictionaries(st.sampled_from([*"abcdefABC", "\uff41"]), JSON))
def test_any_arguments_are_held_to_the_rules(arguments: dict[str, Any]) -> None:
    found = faults(RULES, arguments, additional=False)
    for fault in found:
        assert set(fault) <= set(string.ascii_letters + " '_.*")


@given(st.text(max_size=60))
def test_a_host_is_the_one_that_everybody_reads(text: str) -> None:
    """Whatever is let through begins with a listed host and its end."""
    for said in (text, f"https://{text}", f"https://a.example{text}", f"https://{text}a.example"):
        if not faults({"a": WEB}, {"a": said}):
            host = said.split("://")[1].lower()
            assert host.startswith("a.example") or ".b.example" in host
            rest = host.partition(".example")[2]
            assert not rest or rest[0] in ":/?#"
            assert "\\" not in said
            assert "@" not in host.split("/")[0].split("?")[0].split("#")[0]


# -- how arguments are read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', "[1]", "1", '"{}"', "{'a': 1}", '{"a": 1,}',
        '{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}', '{"a": 1} x', "\ufeff{}", "null", "{",
        '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}", '{"a": ' + "[" * 101 + "]" * 101 + "}",
        '{"a": 1' + "0" * 5_000 + "}", "// {}\n{}",
    ],
)  # fmt: skip
def test_json_that_two_readers_may_read_in_two_ways_is_none(text: str) -> None:
    assert read_arguments(text) is None


def test_arguments_of_python_are_read_as_their_json() -> None:
    from decimal import Decimal
    from pathlib import PurePath

    from pydantic import BaseModel

    class Mail(BaseModel):
        to: str
        n: Decimal

    assert read_arguments(Mail(to="a", n=Decimal("1.50"))) == {"to": "a", "n": 1.5}
    assert read_arguments({"p": PurePath("a"), "l": (1, None)}) == {"p": "a", "l": [1, None]}
    for blank in ("", " \n", None, {}, "{}"):
        assert read_arguments(blank) == {}
    loop: dict[str, Any] = {}
    loop["a"] = loop
    for wrong in ({1: 2}, {"a": object()}, {"a": b"x"}, loop, [1], 5):
        assert read_arguments(wrong) is None


@given(st.dictionaries(st.text(), JSON))
def test_what_json_says_is_what_is_read(arguments: dict[str, Any]) -> None:
    try:
        text = json.dumps(arguments)
        text.encode()
        json.dumps(arguments, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert read_arguments(text) == arguments


# -- copies --------------------------------------------------------------------------------------


def copied(argument: str, result: str, *said: str) -> bool:
    traces: Traces[bool] = Traces()
    traces.add(argument, True)
    for text in said:
        traces.forget(normalise(text).text)
    return traces.found_in(normalise(result).text) is not None


COPIED = [
    ("They say the merger closes next Friday.", "News: The merger  closes, next friday!"),
    ("operation nightfall", "Codename: Operation Nightfall (secret)."),
    ("\uff4fperation \u200bNightfall", "Operation Nightfall"),
    ("to ann@a.example please", "Write to Ann <ANN@A.example>, she said."),
    ("mailto:ann@a.example", "contact=ann@a.example;"),
    ("see https://www.a.example/x/", "(http://a.example/x)"),
    ("https://a.example/c?d=1", "Fetch https://a.example/c?d=2 now"),
    ("77120", "order 77120."),
    ("+49 30 123456", "call +4930123456"),
    ("4111111111111111", "card 4111 1111 1111 1111"),
    ("sk-a1b2", "the key is sk-a1b2"),
    ("77120.0", "order 77120."),
    ("77,120", "order 77120"),
    ("77120", "all 77,120 pieces"),
    ("77120", "it is 77.120,50 EUR"),
    ("77120.50", "it is 77\u202f120"),
    ("1'234'567", "1234567.00"),
    ("\u0667\u0667,\u0661\u0662\u0660", "order 77120"),
]
NOT_COPIED = [
    ("The weather is fine today.", "The merger closes on Friday, the weather is fine."[:20]),
    ("short word", "a short word here"),
    ("1234", "in 1234"),
    ("1,234", "in 1234"),
    ("12345", "12 pigs, 345 cows"),
    ("12345", "12, 345"),
    ("12345", "2024.12,345"),
    ("a.example", "a.example"),
    ("", ""),
    ("....", "...."),
]


@pytest.mark.parametrize(("argument", "result"), COPIED)
def test_a_copy_is_found(argument: str, result: str) -> None:
    assert copied(argument, result)
    assert not copied(argument, result, argument)


@pytest.mark.parametrize(("argument", "result"), NOT_COPIED)
def test_what_is_no_copy_is_not(argument: str, result: str) -> None:
    assert not copied(argument, result)


LETTERS = st.text(st.characters(categories=["Ll"], max_codepoint=0x17F), min_size=RUN, max_size=80)
GAPS = st.text(" .,;-\n\t!_", max_size=3)


@given(st.data(), LETTERS, st.text(max_size=80), st.text(max_size=80))
def test_a_long_run_is_found_however_it_is_set(
    data: st.DataObject, run: str, before: str, after: str
) -> None:
    run = normalise(run).text.casefold()
    if sum(c.isalnum() for c in run) < RUN:
        return
    spaced = "".join(c.upper() + data.draw(GAPS) if len(c.upper()) == 1 else c for c in run)
    assert copied(f"{before} {spaced} {after}", f"{after} {run} {before}")


@pytest.mark.parametrize("letters", ["ı", "ΐ", "ΰ", "ῒ", "ǆ", "ß", "é", "İ", "ŉ", "한"])
def test_letters_are_the_same_in_each_case(letters: str) -> None:
    run = letters + "a stretch of text that was copied"
    for said in (run.upper(), run.lower(), run.title(), run.casefold(), run):
        assert copied(f"so: {said}.", f"{run}, it said")
        assert copied(run, said)


FIRST = st.text(string.ascii_lowercase[:13] + " .", max_size=200)
LAST = st.text(string.ascii_lowercase[13:] + " .", max_size=200)


@given(FIRST, LAST)
def test_texts_without_a_letter_in_common_are_no_copies(argument: str, result: str) -> None:
    assert not copied(argument, result)


@given(st.text(max_size=300))
def test_identifiers_are_told_of_any_text(text: str) -> None:
    assert set(identifiers(text)) == set(identifiers(text.casefold()))


@pytest.mark.parametrize("sign", ["a", "1", "@", "a@", "1 ", "-", "a1.", "http://", "(", "\u0661"])
def test_long_texts_of_one_kind_come_to_an_end(sign: str) -> None:
    long = sign * (MOST // 2 // len(sign))
    copied(long, long)
    copied("a" * 50, long * 4)


def test_too_much_is_told() -> None:
    with pytest.raises(TooMuchError):
        Traces[int]().add("ab " * MOST, 1)
