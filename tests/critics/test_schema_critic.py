"""The critic `schema`: the rules, replies that are no JSON, hostile ones, wrong schemas."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from asking import ask, bind, rule
from hypothesis import given
from hypothesis import strategies as st

from critics.schema import SchemaConfig, SchemaCritic
from guardrails.constitution.digest import principle_digest
from guardrails.constitution.load import load_constitution, parse_constitution
from guardrails.constitution.model import Constitution
from guardrails.constitution.schema import json_schema
from guardrails.critic.protocol import Critic, Whole
from guardrails.critic.registry import CriticRegistry
from guardrails.errors import ConstitutionError
from guardrails.guard import Guard
from guardrails.verdict import Stage, Verdict

REGISTRY = CriticRegistry()

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
        "lines": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/line"},
        },
        "state": {"enum": ["open", "sent"]},
    },
    "required": ["id", "lines"],
    "additionalProperties": False,
    "$defs": {
        "line": {
            "type": "object",
            "properties": {"count": {"type": "integer", "minimum": 1}, "price": {"type": "number"}},
            "required": ["count"],
        }
    },
}


def of(schema: Mapping[str, Any], **more: Any) -> Critic:
    return bind(SchemaCritic, rule(SchemaCritic, {"schema": schema, **more}))


async def fault(schema: Mapping[str, Any], reply: str, **more: Any) -> str | None:
    said = await ask(of(schema, **more), reply)
    assert said.looked == {"test.principle"}
    reasons = [finding.reason for finding in said.findings]
    assert len(reasons) <= 1
    return reasons[0] if reasons else None


# -- what fits and what does not -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({}, None, id="fits"),
        pytest.param({"state": "sent"}, None, id="one of the values"),
        pytest.param({"state": "lost"}, "$.state does not fit 'enum'", id="none of the values"),
        pytest.param({"id": 7}, "$.id does not fit 'type'", id="type"),
        pytest.param({"id": "ab-1234"}, "$.id does not fit 'pattern'", id="pattern"),
        pytest.param({"id": None}, "$.id does not fit 'type'", id="null"),
        pytest.param({"lines": []}, "$.lines does not fit 'minItems'", id="too few"),
        pytest.param({"lines": [{"count": 1}, {"count": 0}]},
                     "$.lines[1].count does not fit 'minimum'", id="nested"),
        pytest.param({"lines": [{"count": True}]},
                     "$.lines[0].count does not fit 'type'", id="true is no number"),
        pytest.param({"lines": [{"count": 2.0}]}, None, id="2.0 is an integer"),
        pytest.param({"lines": [{}]}, "$.lines[0] does not fit 'required'", id="missing below"),
        pytest.param({"colour": "red"}, "$ does not fit 'additionalProperties'", id="one more key"),
    ],
)  # fmt: skip
async def test_an_order(change: dict[str, Any], reason: str | None) -> None:
    reply = {"id": "AB-1234", "lines": [{"count": 1, "price": 2.5}], **change}
    assert await fault(ORDER, json.dumps(reply)) == reason
    assert await fault(ORDER, f"\n  {json.dumps(reply, indent=2)}\n") == reason


FITTING = [
    ("type", {"type": ["string", "null"]}, [None, "a"], [1, {}]),
    ("const", {"const": None}, [None], [0, False]),
    ("enum", {"enum": [1, "a", [2]]}, [1, 1.0, [2]], [True, "1"]),
    ("maximum", {"maximum": 3, "exclusiveMinimum": 0}, [3, 0.1, "9"], [0, 3.01]),
    ("multipleOf", {"multipleOf": 0.01}, [19.99, 0.07, 1, 1e300, 4.35], [0.001, 1.005]),
    ("multipleOf whole", {"multipleOf": 3}, [9, 9.0, 0, True], [10, 1e300]),
    ("minLength", {"minLength": 2, "maxLength": 3}, ["ab", "日本語", 1], ["a", "😀", "abcd"]),
    ("pattern", {"pattern": "^(?i)ok[.!]?$"}, ["OK!", 4], ["okay"]),
    ("pattern unanchored", {"pattern": "a.c"}, ["xabcx"], ["a\nc"]),
    ("pattern of RE2 alone", {"pattern": r"^\p{Lu}\z"}, ["Ä"], ["ä", "Ä\n"]),
    ("prefixItems", {"prefixItems": [{"type": "string"}], "items": False},
     [["a"], []], [[1], ["a", 1]]),
    ("contains", {"contains": {"const": 1}, "maxContains": 2}, [[1], [1, 1, 2]], [[], [1, 1, 1]]),
    ("uniqueItems", {"uniqueItems": True}, [[1, True, "1"], [[1], [2]], [{"a": 1}, {"a": 2}]],
     [[1, 1.0], [{"a": 1, "b": 2}, {"b": 2, "a": 1}], [[0], [0]]]),
    ("uniqueItems false", {"uniqueItems": False}, [[1, 1]], []),
    ("maxItems", {"maxItems": 1}, [[], {}], [[1, 2]]),
    ("required", {"required": ["a"]}, [{"a": None}, []], [{}, {"b": 1}]),
    ("patternProperties", {"patternProperties": {"^n_": {"type": "number"}}},
     [{"n_a": 1, "b": "c"}], [{"n_a": "1"}]),
    ("additionalProperties",
     {"properties": {"a": {}}, "patternProperties": {"^x": {}}, "additionalProperties": False},
     [{"a": 1, "xy": 2}, {}, []], [{"b": 1}]),
    ("additionalProperties with a shape", {"additionalProperties": {"type": "integer"}},
     [{"a": 1}], [{"a": "1"}]),
    ("propertyNames", {"propertyNames": {"pattern": "^[a-z]+$"}}, [{"ab": 1}], [{"A": 1}]),
    ("dependentRequired", {"dependentRequired": {"a": ["b"]}}, [{"a": 1, "b": 1}, {}], [{"a": 1}]),
    ("dependentSchemas", {"dependentSchemas": {"a": {"required": ["b"]}}}, [{"b": 1}], [{"a": 1}]),
    ("allOf", {"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [0, 3]),
    ("anyOf", {"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["a", 5, []], [4]),
    ("oneOf", {"oneOf": [{"multipleOf": 3}, {"multipleOf": 5}]}, [3, 5], [15, 7]),
    ("not", {"not": {"type": "string"}}, [1], ["a"]),
    ("if", {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
     [{"a": 1, "b": 1}, {"c": 1}], [{"a": 1}, {}]),
    ("$ref", {"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}, [[1]], [["a"]]),
    ("$ref with siblings", {"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n", "minimum": 2},
     [2], [1, "a"]),
    ("$anchor", {"$defs": {"x": {"$anchor": "num", "type": "number"}}, "$ref": "#num"}, [1], ["a"]),
    ("a name with a slash", {"$defs": {"a/b~": {"const": 1}}, "$ref": "#/$defs/a~1b~0"}, [1], [2]),
    ("to itself", {"type": "object", "additionalProperties": {"$ref": "#"}},
     [{}, {"a": {"b": {}}}], [{"a": {"b": 1}}]),
    ("with its dialect", {"$schema": "https://json-schema.org/draft/2020-12/schema",
                          "$id": "urn:made-up", "items": {"$ref": "#/$defs/n"},
                          "$defs": {"n": {"type": "integer"}}}, [[1]], [["a"]]),
    ("names that are keywords",
     {"properties": {"$ref": {"type": "string"}, "pattern": {"const": "("}, "not": {"$ref": "#"},
                     "unevaluatedItems": {}}},
     [{"$ref": "http://x", "pattern": "(", "not": {}}], [{"$ref": 1}, {"not": {"pattern": 1}}]),
    ("data that looks like keywords", {"const": {"$ref": "http://x", "pattern": "("}},
     [{"$ref": "http://x", "pattern": "("}], [{}]),
    ("format is not checked", {"format": "email"}, ["nobody"], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "fit", "misfit"), [pytest.param(*case[1:], id=case[0]) for case in FITTING]
)
async def test_rules_of_json_schema(
    schema: dict[str, Any], fit: list[Any], misfit: list[Any]
) -> None:
    for value in fit:
        assert await fault(schema, json.dumps(value)) is None
    for value in misfit:
        assert await fault(schema, json.dumps(value)) is not None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 2.0, "", "a", "ab"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)
OTHERWISE = ("0.01", "(?i)", r"\\p{")
"""Where the reference counts in binary fractions, and patterns that are none to it."""

SIMPLE = st.sampled_from(
    [schema for _, schema, _, _ in FITTING if not any(map(json.dumps(schema).count, OTHERWISE))]
    + [ORDER]
)


@given(SIMPLE, SIMPLE, VALUES)
async def test_it_says_what_jsonschema_says(
    one: dict[str, Any], other: dict[str, Any], value: Any
) -> None:
    bare = [{k: v for k, v in s.items() if not k.startswith("$")} for s in (one, other)]
    if any('"$ref"' in json.dumps(schema) for schema in bare):
        bare = [{"type": "array"}, {"uniqueItems": True}]
    schema = {"anyOf": bare, "properties": {"a": {"allOf": bare}}, "items": {"not": bare[0]}}
    fits = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (await fault(schema, json.dumps(value)) is None) == fits


# -- replies that are no JSON ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param("", "not JSON", id="nothing"),
        pytest.param("Here you are: {}", "not JSON", id="words before"),
        pytest.param("{} I hope this helps!", "not JSON", id="words after"),
        pytest.param("{'a': 1}", "not JSON", id="single quotes"),
        pytest.param('{"a": 1,}', "not JSON", id="a comma too many"),
        pytest.param('{"a": 1} // note', "not JSON", id="a comment"),
        pytest.param('{"a": 1', "not JSON", id="cut off"),
        pytest.param('{"a": 1, "a": 1}', "the same key twice", id="a key twice"),
        pytest.param('{"a": 1, "\\u0061": 2}', "the same key twice", id="a key twice, escaped"),
        pytest.param('[{"b": {"a": 1, "a": 2}}]', "the same key twice", id="twice, nested"),
        pytest.param("NaN", "NaN is no JSON value", id="NaN"),
        pytest.param("[-Infinity]", "-Infinity is no JSON value", id="infinity"),
        pytest.param("1e999", "out of range", id="out of range"),
        pytest.param("1" * 5_000, "too many digits", id="5,000 digits"),
        pytest.param('"\\ud800"', "half of a surrogate pair", id="half a pair, escaped"),
        pytest.param('"\ud800"', "not UTF-8", id="half a pair"),
        pytest.param("\ufeff{}", "not JSON", id="a byte order mark"),
        pytest.param("｛｝", "not JSON", id="wide braces, which normalising narrows"),
        pytest.param("{\u00a0}", "not JSON", id="a space of another kind"),
        pytest.param("{\u200b}", "not JSON", id="a space of no width"),
        pytest.param("[" * 100_000, "nested too deeply", id="deep"),
        pytest.param("```json\n{}\n```", "not JSON", id="a code block, unasked"),
    ],
)
async def test_what_is_not_json(reply: str, says: str) -> None:
    assert says in str(await fault({}, reply))


async def test_the_text_as_it_came_is_judged() -> None:
    """The normalised one may be another value than the one that the program will read."""
    schema = {"properties": {"name": {"const": "ﬁ"}}, "required": ["name"]}
    assert await fault(schema, '{"name": "ﬁ"}') is None
    assert await fault(schema, '{"name": "fi"}') == "$.name does not fit 'const'"
    assert await fault(schema, '{"na\u200bme": "ﬁ"}') == "$ does not fit 'required'"
    assert await fault({"maxLength": 1}, '"ﬃ"') is None


@pytest.mark.parametrize(
    ("reply", "is_fine"),
    [
        ('```json\n{"a": 1}\n```', True),
        ('```\n{"a": 1}\n```', True),
        ('  \n```JSON \r\n{"a":\r\n 1}\r\n```\n\n', True),
        ('{"a": 1}', True),
        ('```json\n{"a": "x"}\n```', False),
        ('Here:\n```json\n{"a": 1}\n```', False),
        ('```json\n{"a": 1}\n```\n```json\n{"a": 1}\n```', False),
        ('```json\n{"a": 1}', False),
        ('```python\n{"a": 1}\n```', False),
        ("```\n```", False),
    ],
)
async def test_a_code_block_may_hold_it(reply: str, is_fine: bool) -> None:
    schema = {"properties": {"a": {"type": "integer"}}}
    assert (await fault(schema, reply, fenced=True) is None) == is_fine


# -- hostile replies -------------------------------------------------------------------------------

CLIMBING = {
    "anyOf": [
        {"type": "object", "properties": {"c": {"$ref": "#"}}, "required": ["x"]},
        {"type": "object", "properties": {"c": {"$ref": "#"}}, "required": ["y"]},
    ]
}


@pytest.mark.parametrize(
    ("schema", "reply", "is_fine"),
    [
        pytest.param({"type": "array", "items": {"type": "integer"}},
                     json.dumps([*range(160_000)]), True, id="1 MB of numbers"),
        pytest.param({"type": "string"}, json.dumps("a" * 1_000_000), True, id="1 MB of text"),
        pytest.param({"uniqueItems": True}, f"[{'{},' * 300_000}{{}}]", False, id="equal items"),
        pytest.param({"uniqueItems": True}, json.dumps([{"a": n} for n in range(60_000)]), True,
                     id="items that have no order"),
        pytest.param({"additionalProperties": False, "patternProperties": {"^(a+)+$": {}}},
                     json.dumps({"a" * 10_000 + "!": 1}), False, id="pattern of keys"),
        pytest.param({"pattern": "^(a|a)*$"}, json.dumps("a" * 100_000 + "!"), False, id="pattern"),
        pytest.param({"$schema": "https://json-schema.org/draft/2020-12/schema",
                      "additionalProperties": {"$ref": "#"}, "pattern": "^(a+)+$"},
                     json.dumps({"a": "a" * 10_000 + "!"}), False, id="pattern in a dialect"),
        pytest.param(CLIMBING, '{"c":' * 45 + "{}" + "}" * 45, False, id="two ways at each level"),
        pytest.param({"items": {"$ref": "#"}}, "[" * 900 + "]" * 900, False, id="too deep"),
        pytest.param({"multipleOf": 0.1}, "1" + "0" * 4_000, True, id="4,000 digits"),
        pytest.param({}, "```json\n" * 100_000, False, id="code blocks"),
        pytest.param({}, "```json\n" + " \n" * 400_000, False, id="an empty code block"),
    ],
)  # fmt: skip
async def test_promise_10_time_is_bounded(
    schema: dict[str, Any], reply: str, is_fine: bool
) -> None:
    before = time.process_time()
    assert (await fault(schema, reply, fenced=True) is None) == is_fine
    assert time.process_time() - before < 10


@given(st.text(max_size=40) | VALUES.map(json.dumps))
async def test_any_text_gets_an_answer(reply: str) -> None:
    assert await fault(ORDER, reply) is not None


async def test_promise_9_a_reason_has_no_word_of_the_reply() -> None:
    secret = "Mrs Ada Made-Up"
    schema = {
        "additionalProperties": {"type": "integer"},
        "properties": {"known": {"additionalProperties": {"type": "string", "maxLength": 3}}},
    }
    assert await fault(schema, json.dumps({secret: "x"})) == "$.* does not fit 'type'"
    assert (
        await fault(schema, json.dumps({"known": {secret: 1}})) == "$.known.* does not fit 'type'"
    )
    for reply in ({secret: secret}, {"known": {"a": secret}}, {"known": secret}):
        said = await ask(of({**schema, "maxProperties": 1, "const": 3}), json.dumps(reply))
        assert all("Ada" not in f"{finding.reason}{finding!r}" for finding in said.findings)
    for broken in (f"{secret}", f'{{"{secret}": }}', f'{{"{secret}": 1, "{secret}": 2}}'):
        assert "Ada" not in str(await fault(schema, broken))


async def test_each_part_is_held_but_not_what_was_thought() -> None:
    critic = of({"type": "object"})
    said = await ask(critic, "Let me see.", "{}", "oops", kinds=["thinking", "text", "text"])
    assert [(finding.part, finding.span) for finding in said.findings] == [(2, None)]


async def test_each_principle_has_its_own() -> None:
    rules = [
        rule(SchemaCritic, {"schema": {"type": "object"}}, id="a"),
        rule(SchemaCritic, {"schema": {"type": "array"}}, id="b"),
    ]
    critic = bind(SchemaCritic, *rules)
    said = await ask(critic, "[]", asked=["a", "b"])
    assert [finding.principle for finding in said.findings] == ["a"]
    assert (await ask(critic, "[]", asked=["b"])).looked == {"b"}
    assert critic.need(Stage.OUTPUT) == Whole()


# -- in a constitution -----------------------------------------------------------------------------

FILE = "shape.yaml"
HEAD = """\
id: shape
version: 1.0.0
principles:
  - id: shape.order
    text: Answers with an order.
    action: block
    critics:
      - schema:
"""
"""What follows is line 9, and eight spaces and two more deep."""


def load(below: str, head: str = HEAD) -> Constitution:
    text = head + "".join(f"          {line}\n" for line in below.strip("\n").split("\n"))
    return parse_constitution(text, file=FILE, catalogue=REGISTRY)


def told(below: str, head: str = HEAD) -> list[str]:
    with pytest.raises(ConstitutionError) as raised:
        load(below, head)
    return [str(problem) for problem in raised.value.problems]


WRONG = [
    ("no type", "schema: {type: strin}", "9:26", "'strin' is not valid"),
    ("nested", "schema:\n  properties:\n    a: {minimum: x}", "11:28", "'x' is not of type"),
    ("no mapping", "schema: true", "9:19", "mapping"),
    ("outside", "schema: {items: {$ref: 'https://example.com/a.json'}}", "9:34", "leads outside"),
    ("a file", "schema: {$ref: other.json}", "9:26", "leads outside"),
    ("nowhere", "schema:\n  items: {$ref: '#/$defs/line'}", "10:27", "leads to no schema"),
    ("no anchor", "schema: {$ref: '#line'}", "9:26", "leads to no schema"),
    ("not into data", "schema: {const: {a: 1}, $ref: '#/const'}", "9:41", "leads to no schema"),
    ("itself", "schema: {$ref: '#'}", "9:19", "without end"),
    ("in a circle", "schema:\n  $defs:\n    a: {anyOf: [{$ref: '#/$defs/b'}]}\n"
     "    b: {not: {$ref: '#/$defs/a'}}", "11:18", "without end"),
    ("lookahead", "schema:\n  properties:\n    a: {pattern: '^(?=a)'}", "11:28", "none of RE2's"),
    ("backreference", "schema: {patternProperties: {'(a)\\1': {}}}", "9:49", "none of RE2's"),
    ("dialect", "schema: {$schema: 'http://json-schema.org/draft-07/schema#'}", "9:29", "dialect"),
    ("dialect below", "schema: {items: {$schema: 'https://json-schema.org/draft/2020-12/schema'}}",
     "9:37", "dialect"),
    ("name below", "schema: {items: {$id: a}}", "9:33", "take it out"),
    ("unevaluated", "schema: {unevaluatedProperties: false}", "9:43", "additionalProperties"),
    ("dynamic", "schema: {items: {$dynamicRef: '#a'}}", "9:41", "write $ref"),
    ("no schema", "fenced: true", "9:11", "schema"),
    ("a key too many", "schema: {}\nstrict: true", "10:11", "strict"),
    ("fenced", "schema: {}\nfenced: maybe", "10:19", "fenced"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("below", "place", "says"), [pytest.param(*case[1:], id=case[0]) for case in WRONG]
)
def test_promise_8_a_wrong_schema_is_refused_at_its_place(
    below: str, place: str, says: str
) -> None:
    (problem,) = told(below)
    assert says in problem
    assert problem.startswith(f"{FILE}:{place}")


def test_promise_8_all_that_is_wrong_is_told_at_once() -> None:
    problems = told("schema:\n  items: {$ref: x}\n  pattern: '(?=a)'")
    assert len(problems) == 2


@pytest.mark.parametrize("action", ["redact", "{output: redact, input: block}"])
def test_nothing_can_be_redacted(action: str) -> None:
    head = HEAD.replace("action: block", f"stages: [input, output]\n    action: {action}")
    (problem,) = told("schema: {}", head)
    assert "has nothing to redact; use 'block'" in problem
    assert problem.startswith(f"{FILE}:10:11")


def test_what_yaml_can_say_is_there() -> None:
    found = load(
        "schema:\n  const: null\n  enum: [null, yes, 1.5, '']\n  default: {}\nfenced: true"
    )
    config = found.principles[0].critics[0].config
    assert isinstance(config, SchemaConfig)
    assert config.json_schema == {"const": None, "enum": [None, "yes", 1.5, ""], "default": {}}
    assert config.fenced


def test_the_digest_follows_the_schema_and_not_how_it_is_written() -> None:
    written = ["schema:\n  type: object\n  required: [a]", "schema: {required: [a], type: object}",
               "fenced: false\nschema: {required: ['a'], type: 'object'}"]  # fmt: skip
    digests = {principle_digest(load(below).principles[0]) for below in written}
    assert len(digests) == 1
    assert digests == {principle_digest(load(written[0]).principles[0])}
    others = ["schema: {required: [b], type: object}", "schema: {required: [a], type: [object]}",
              "schema: {required: [a], type: object}\nfenced: true"]  # fmt: skip
    for below in others:
        assert principle_digest(load(below).principles[0]) not in digests


def family(tmp_path: Path, critics: str, more: str = "") -> Constitution:
    (tmp_path / "shape.yaml").write_text(
        HEAD + "          schema: {type: object, required: [a]}\n", encoding="utf-8"
    )
    (tmp_path / "child.yaml").write_text(
        "id: child\nversion: 1.0.0\nextends: [shape@^1]\n" + more +
        "principles:\n  - id: shape.order\n    severity: critical\n" + critics, encoding="utf-8"
    )  # fmt: skip
    return load_constitution(tmp_path / "child.yaml", catalogue=REGISTRY)


def test_a_child_inherits_it(tmp_path: Path) -> None:
    config = family(tmp_path, "").principles[0].critics[0].config
    assert isinstance(config, SchemaConfig)
    assert config.json_schema == {"type": "object", "required": ["a"]}


def test_a_child_may_say_it_again(tmp_path: Path) -> None:
    said = "    critics: [schema: {schema: {required: [a], type: object}}]\n"
    config = family(tmp_path, said).principles[0].critics[0].config
    assert isinstance(config, SchemaConfig)
    assert config.json_schema == {"type": "object", "required": ["a"]}


def test_a_child_that_says_another_must_relax(tmp_path: Path) -> None:
    said = "    critics: [schema: {schema: {type: array}}]\n"
    with pytest.raises(ConstitutionError, match="relax"):
        family(tmp_path, said)
    relaxed = (
        "relax:\n  - id: shape.order\n    set: {critics: [schema: {schema: {type: array}}]}\n"
        "    reason: Lists are asked for here.\n"
    )
    config = family(tmp_path, "", relaxed).principles[0].critics[0].config
    assert isinstance(config, SchemaConfig)
    assert config.json_schema == {"type": "array"}


def test_the_schema_of_constitutions_takes_it() -> None:
    validator = jsonschema.Draft202012Validator(json_schema(REGISTRY))
    good = yaml.safe_load(HEAD + "          schema: {type: object, const: null}\n")
    assert validator.is_valid(good)
    for wrong in ("fenced: true", "schema: true", "schema: {}\n          more: 1"):
        assert not validator.is_valid(yaml.safe_load(f"{HEAD}          {wrong}\n"))


def test_the_catalogue_offers_it() -> None:
    assert REGISTRY["schema"].critic is SchemaCritic
    assert isinstance(of({}), Critic)


async def test_a_guard_holds_replies_to_it() -> None:
    """Its own replies, too: the program gets those in the place of an answer."""
    shape = load("schema: {type: object, required: [a]}\nfenced: true")
    with pytest.raises(ConstitutionError, match=r"breaks 'shape\.order'"):
        Guard.load(shape, offline=True)
    replies = "replies: {blocked: '{\"a\": null}', unavailable: '{\"a\": null}'}\n"
    shape = load("schema: {type: object, required: [a]}\nfenced: true", replies + HEAD)
    async with Guard.load(shape, offline=True) as guard:
        fine = await guard.check_output('```json\n{"a": "ﬁ\u200b"}\n```')
        assert (fine.verdict, fine.text) == (Verdict.ALLOW, '```json\n{"a": "ﬁ\u200b"}\n```')
        wrong = await guard.check_output('{"b": 1}')
        assert wrong.verdict is Verdict.BLOCK
        assert wrong.findings[0].reason == "$ does not fit 'required'"
        assert wrong.findings[0].span is None
        assert wrong.text == '{"a": null}'
