"""The JSON Schema and the loader agree on keys, types, choices and needs."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from constitution_samples import EACH_WRONG, ONE, REGISTRY, WHOLE, problems, written
from constitution_strategies import files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import constitutions
from guardrails.constitution.model import CriticConfig, Tier
from guardrails.constitution.schema import json_schema
from guardrails.constitution.source import read_source
from guardrails.critic.registry import CriticEntry
from guardrails.errors import CriticError

SCHEMA = json_schema(REGISTRY)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SHIPPED = Path(constitutions.__file__).parent


def fits(value: Any) -> bool:
    return VALIDATOR.is_valid(value)


def parsed(text: str) -> Any:
    """What a YAML reader gives; not valid for the format itself, necessarily."""
    return read_source(text, "f").data


# -- the file --------------------------------------------------------------------------------------


def test_the_shipped_file_is_what_is_made_now() -> None:
    """`constitution schema > constitutions/constitution.schema.json` makes it anew."""
    shipped = (SHIPPED / "constitution.schema.json").read_text()
    assert shipped == json.dumps(SCHEMA, indent=2) + "\n"


def test_it_is_a_schema_of_2020_12() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"$id", "title", "description"} <= SCHEMA.keys()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_reference_leads_somewhere() -> None:
    named = {ref.removeprefix("#/$defs/") for ref in references(SCHEMA)}
    assert named == SCHEMA["$defs"].keys()


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(ref := value.get("$ref"), str):
            yield ref
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_an_editor_is_told_what_keys_mean() -> None:
    head = ("principles", "extends", "relax", "withdraw", "languages")
    assert all("description" in SCHEMA["properties"][key] for key in head)
    principle = SCHEMA["$defs"]["PrincipleEntry"]["properties"]
    assert [key for key, value in principle.items() if "description" not in value] == []


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_shipped_constitution_names_and_fits_it(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("# yaml-language-server: $schema=constitution.schema.json\n")
    assert [error.message for error in VALIDATOR.iter_errors(parsed(text))] == []


def test_it_is_made_without_loading_the_libraries_of_critics() -> None:
    code = (
        "import sys\n"
        "from guardrails.constitution.schema import json_schema\n"
        "from guardrails.critic.registry import CriticRegistry\n"
        "json_schema(CriticRegistry())\n"
        "print([n for n in ('presidio_analyzer', 'spacy', 'anthropic') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


# -- what both accept ------------------------------------------------------------------------------


def test_a_file_with_every_key_fits() -> None:
    assert [error.message for error in VALIDATOR.iter_errors(parsed(WHOLE))] == []


GIVEN = {
    "prompt": "p", "reply": "r", "tool": {"name": "t"}, "result": "r", "documents": ["d"],
    "results": {"t": "r"}, "attachments": ["image"],
}  # fmt: skip
STAGES = [None, "input", "output", "tool_call", "tool_result", "retrieval"]


@given(st.sets(st.sampled_from([*GIVEN])), st.sampled_from(STAGES))
def test_both_agree_on_what_a_test_of_a_stage_needs(keys: set[str], stage: str | None) -> None:
    test = {"name": "t", "expect": "allow", **{key: GIVEN[key] for key in keys}}
    if stage is not None:
        test["stage"] = stage
    file = {"id": "a", "version": "1.0.0", "principles": [], "tests": [test]}
    assert fits(file) == (not problems(json.dumps(file)))


CHILD = """
id: c
version: 1.0.0
extends: [base@^1, 'other@>=1.0 <2', third]
withdraw:
  - {id: a.b, reason: r}
  - {id: pii.output.US_SSN, reason: r}
relax:
  - id: a.c
    set: {action: flag, unless: [x], critics: [judge, {pattern: {breach: [y]}}], applies: {}}
    reason: r
  - {id: budget, set: {max_calls: 5}, reason: r}
  - {id: judge, set: {cascade: [small], routing: {confirm: nothing}}, reason: r}
  - {id: stream, set: {release: auto}, reason: r}
  - {id: revision, set: {max_attempts: 0}, reason: r}
  - {id: pii.keep, set: {keep: []}, reason: r}
  - {id: pii.input.US_SSN, set: {action: allow, min_score: 0.9}, reason: r}
principles:
  - {id: a.d, severity: high}
"""


def test_a_child_fits() -> None:
    assert [error.message for error in VALIDATOR.iter_errors(parsed(CHILD))] == []


@given(files())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_the_loader_accepts_the_schema_accepts(value: dict[str, Any]) -> None:
    assert problems(written(value)) == []
    assert [error.message for error in VALIDATOR.iter_errors(value)] == []


# -- what both refuse ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "below",
    [
        "    sevrity: low", "    severity: hgih", "    severity:", "    severity: 1",
        "    requires: no", "    breach: 12", "    breach: ''", "    stages: output",
        "    stages: []", "    stages: [outptu]", "    stages: [input, input]",
        "    action: allow", "    action: {}", "    action: {outptu: block}",
        "    action: {output: pass}", "    scope: all", "    on_undecided: allow",
        "    on_outage: accept", "    uncovered: flag", "    locked: 'true'",
        "    applies: {audience: patient}", "    critics: []", "    critics: pattern",
        "    critics: [pattrn]", "    critics: [{pattrn: {}}]", "    critics: [1]",
        "    critics: [judge, judge]", "    critics: [{judge: {}, screen: {}}]",
        "    critics: [length]",
        "    critics: [{length: {max_words: null}}]",
        "    critics: [{judge: null}]", "    critics: [{judge: {wen: look}}]",
        "    critics: [{judge: {when: never}}]", "    critics: [pii]",
        "    critics: [{pii: {entity: NAME}}]", "    critics: [{pii: {min_score: 0.5}}]",
        "    critics: [{pattern: {breach: x}}]", "    critics: [{pattern: {brech: [x]}}]",
        "    critics: [{pattern: {breach: [1]}}]", "    critics: [{pattern: {case: 1}}]",
        "    critics: [{secrets: {kinds: [awz]}}]", "    critics: [{screen: {x: 1}}]",
        "    remedy: {rewrit: x}", "    remedy: x", "    examples: [x]",
        "    examples: {good: [x]}", "    examples: {fine: [{prompt: x}]}",
        "    examples: {fine: [{prompt: x, reply: y, more: z}]}", "    reply: {EN: No.}",
        "    reply: 5", "    source: {clause: '1'}", "    source: House rule",
        "    source: {title: x, page: 4}", "  - a.c", "  - {text: x}", "  - {id: a.c}",
        "  - {id: A, text: x}", "  - {id: pii.x, text: x}", "  - {id: budget, text: x}",
        "judge: {cascade: [smal]}", "judge: {cascade: []}", "judge: {cascade: [small, small]}",
        "judge: {routing: small}", "judge: {routing: {start: small}}",
        "judge: {routing: {start: []}}", "judge: {routing: {start: [small]}}",
        "judge: {routing: {start: [{look: true}]}}", "judge: {routing: {confirm: pass}}",
        "judge: {routing: {start: [{role: smal, look: true}]}}",
        "judge: {routing: {start: [{role: small, look: false}]}}",
        "judge: {routing: {start: [{role: small, min_chars: 0}]}}",
        "judge: {routing: {start: [{role: small, severity: hgih}]}}",
        "judge: {routing: {audit_share: 1.5}}", "judge: {routing: {reversals: 0.1}}",
        "judge: {routing: {reversals: {samples: 5}}}",
        "judge: {routing: {reversals: {share: 0}}}",
        "judge: {timeout_s: 0}", "judge: small", "budget: {max_chars: '5'}",
        "budget: {max_chars: 1.5}", "budget: {max_calls: true}", "budget: {deadline: 5}",
        "budget: {max_calls: -1}", "budget: {deadline_s: 0}", "revision: {max_attempts: 4}",
        "stream: {release: all}", "cache: {ttl_s: 1.5}", "replies: {blokced: x}",
        "replies: {blocked: {}}", "replies: No.", "defaults: {action: flag}",
        "defaults: {stages: input}", "languages: en", "languages: [english]", "languages: []",
        "pii: {output: {EMAIL: redact}}", "pii: {output: {PERSON: redact}}",
        "pii: {output: {US_SSN: pseudonymise}}", "pii: {output: {US_SSN: escalate}}",
        "pii: {output: {US_SSN: {min_score: 1}}}", "pii: {outptu: {US_SSN: mask}}",
        "pii: {output: {US_SSN: {action: mask, min_score: 2}}}", "pii: {output: [US_SSN]}",
        "pii: {keep: x}", "withdraw: [{id: a.b}]", "withdraw: [a.b]", "withdraw: {id: a.b}",
        "relax: [{id: a.b, set: {action: flag}}]", "relax: [{id: a.b, reason: x}]",
        "relax: [{id: budget, reason: x, set: {action: flag}}]",
        "relax: [{id: pii.keep, reason: x, set: {action: flag}}]",
        "relax: [{id: pii.output.US_SSN, reason: x, set: {keep: [x]}}]",
        "relax: [{id: pii.nowhere.US_SSN, reason: x, set: {action: flag}}]",
        "relax: [{id: a.b, reason: x, set: {id: a.c}}]",
        "tests: [{name: t, expect: block}]", "tests: [{name: t, reply: x}]",
        "tests: [{reply: x, expect: block}]", "tests: [{name: t, reply: x, expect: pass}]",
        "tests: [{name: t, stage: retrieval, reply: x, expect: block}]",
        "tests: [{name: t, stage: outptu, reply: x, expect: block}]",
        "tests: [{name: t, reply: x, expect: block, breaches: a.b}]",
        "tests: [{name: t, reply: x, expect: block, breaches: [a.b, a.b]}]",
        "tests: [{name: t, reply: x, expect: block, judge: {a.b: x}}]",
        "tests: [{name: t, reply: x, expect: block, judge: {a.b: {breach: false}}}]",
        "tests: [{name: t, reply: x, expect: block, attributes: {a: 1}}]",
        "tests: [{name: t, stage: tool_call, tool: send, expect: block}]",
        "tests: [{name: t, stage: tool_call, tool: {arguments: {}}, expect: block}]",
        "tests: {name: t}", "extends: base@^1", "extends: [Base]", "extends: [../x]",
        "schema: 2", "schema: '1'", "title: 5", "titel: x", "'': x",
    ],
)  # fmt: skip
def test_an_error_of_key_type_choice_or_need_is_refused_by_both(below: str) -> None:
    text = f"{ONE}{below}\n"
    assert problems(text)
    assert not fits(parsed(text))


@pytest.mark.parametrize("key", ["id", "version", "principles"])
def test_what_must_be_there_is_missed_by_both(key: str) -> None:
    value = {name: item for name, item in parsed(ONE).items() if name != key}
    assert problems(written(value))
    assert not fits(value)


def test_only_an_inherited_principle_may_lack_its_text() -> None:
    value: dict[str, Any] = {"id": "c", "version": "1.0.0", "principles": [{"id": "a.b"}]}
    assert not fits(value)
    assert not fits({**value, "extends": []})
    assert fits({**value, "extends": ["base@^1"]})


def test_many_errors_are_all_pointed_at() -> None:
    found = {tuple(error.absolute_path) for error in VALIDATOR.iter_errors(parsed(EACH_WRONG))}
    assert found >= {("schema",), ("id",), ("version",), ("principles", 0), ("tests", 0, "expect")}


Place = tuple[str | int, ...]
CHOICES = {
    "severity", "action", "stages", "scope", "on_undecided", "on_outage", "uncovered", "release",
    "cascade", "expect", "stage", "when", "kinds", "entity", "languages", "language", "id",
    "version",
}  # fmt: skip
NEEDS = {
    "root": ("id", "version", "principles"),
    "principles": ("id", "text"),
    "tests": ("name", "expect"),
    "source": ("title",),
    "pii": ("entity",),
    "tool": ("name",),
}


def places(value: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value with its place, save what a tool's arguments hold: anything goes there."""
    yield at, value
    if at and at[-1] == "arguments":
        return
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*at, key))


def other_type(value: Any) -> list[Any]:
    """Values of types that are wrong wherever that value is right."""
    if isinstance(value, bool):
        return [None, [], 7]
    return [None, [], "zz"] if isinstance(value, int | float) else [None, 7, False]


def is_choice(place: Place, value: Any) -> bool:
    named = [step for step in place if isinstance(step, str)]
    return isinstance(value, str) and bool(named) and named[-1] in CHOICES


def with_value(value: Any, place: Place, new: Any) -> Any:
    made = copy.deepcopy(value)
    parent = made
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = new
    return made


@st.composite
def broken(draw: st.DrawFn) -> Any:
    """A file with one error of key, type, choice or need."""
    value = draw(files())
    inner = [(at, item) for at, item in places(value) if at]
    mappings = [
        (at, item) for at, item in [((), value), *inner]
        if isinstance(item, dict) and "arguments" not in at
    ]  # fmt: skip
    match draw(st.sampled_from(["key", "type", "choice", "need"])):
        case "key":
            at, mapping = draw(st.sampled_from(mappings))
            wrong = {**mapping, "Zz!": draw(st.sampled_from([7, None, False]))}
            return with_value(value, at, wrong) if at else wrong
        case "choice":
            chosen = [at for at, item in inner if is_choice(at, item)]
            return with_value(value, draw(st.sampled_from(chosen)), "Not One Of Them")
        case "need":
            needing = [
                (at, item, key) for at, item in mappings for key in NEEDS.get(_kind(at), ())
                if key in item
            ]  # fmt: skip
            at, mapping, key = draw(st.sampled_from(needing))
            less = {name: item for name, item in mapping.items() if name != key}
            return with_value(value, at, less) if at else less
    at, item = draw(st.sampled_from(inner))
    return with_value(value, at, draw(st.sampled_from(other_type(item))))


def _kind(at: Place) -> str:
    named = [step for step in at if isinstance(step, str)]
    if at and len(named) == 1 and isinstance(at[-1], str):
        return ""  # the section itself
    return named[-1] if named else "root"


@given(broken())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_breaks_key_type_choice_or_need_is_refused_by_both(value: Any) -> None:
    assert problems(written(value))
    assert not fits(value)


# -- what only the loader knows --------------------------------------------------------------------


@pytest.mark.parametrize(
    "below",
    [
        "  - {id: a.b, text: Says no c.}",
        "    action: {input: block}",
        "    stages: [input]\n    action: revise",
        "    requires: true\n    action: redact",
        "    remedy: {rewrite: x}",
        "    action: revise\n    remedy: {append: x, replace_sentence: y}",
        "    critics: [judge, {judge: {when: look}}]",
        "    critics: [pattern]",
        "    critics: [{pattern: {breach: ['(?=a)b']}}]",
        "    critics: [{pattern: {look: [a]}}]",
        "    critics: [{pattern: {require: [a]}}]",
        "pii: {keep: [x]}",
        "extends: ['base@^x']",
        "extends: [base, base@^1]",
        "extends: [nobody-has-this]",
        "withdraw: [{id: a.b, reason: r}]",
        "relax: [{id: a.b, set: {action: flag}, reason: r}]",
        "relax: [{id: a.b, set: {}, reason: r}]",
        "tests: [{name: t, reply: x, expect: block, breaches: [a.c]}]",
        "tests: [{name: t, prompt: x, expect: block, judge: {a.b: {breach: x}}}]",
        "    critics: [secrets]\n"
        "tests: [{name: t, reply: x, expect: block, judge: {a.b: {breach: x}}}]",
    ],
)
def test_what_only_the_loader_can_know(below: str) -> None:
    text = f"{ONE}{below}\n"
    assert problems(text)
    assert fits(parsed(text))


@pytest.mark.parametrize(
    "below", ["title: &x y", "title: !t y", "title: x\ntitle: y", "<<: {title: x}", "---\nid: x"]
)
def test_what_is_lost_before_a_schema_sees_it(below: str) -> None:
    assert problems(f"{ONE}{below}\n")


# -- other critics ---------------------------------------------------------------------------------


class Inner(BaseModel):
    least: int


class OtherConfig(CriticConfig):
    """Words that must not be said."""

    words: tuple[str, ...]
    inner: Inner | None = None


class OddConfig(CriticConfig):
    """Its type has no JSON Schema."""

    call: Callable[[], None] | None = None


def entry(name: str, config: type[CriticConfig], tier: Tier = "local") -> CriticEntry:
    return CriticEntry(name, tier, config)


class Catalogue(Mapping[str, CriticEntry]):
    """Some critics; `broken` does not import."""

    def __init__(self, *entries: CriticEntry) -> None:
        self.entries = {entry.name: entry for entry in entries}

    def __getitem__(self, name: str) -> CriticEntry:
        if name == "broken":
            raise CriticError("the critic 'broken' does not import: ImportError: no")
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self.entries, "broken"])

    def __len__(self) -> int:
        return len(self.entries) + 1

    def __contains__(self, name: object) -> bool:
        return name in [*self.entries, "broken"]


CATALOGUE = Catalogue(
    entry("words", OtherConfig), entry("odd/one", OddConfig), REGISTRY["judge"],
    REGISTRY["negative_examples"],
)  # fmt: skip


@pytest.mark.parametrize(
    ("critic", "right"),
    [
        ("words", False),
        ("{words: {words: [a]}}", True),
        ("{words: {words: [a], inner: {least: 1}}}", True),
        ("{words: {words: [a], inner: {least: x}}}", False),
        ("{words: {words: a}}", False),
        ("{words: {}}", False),
        ("odd/one", True),
        ("broken", False),
        ("{broken: {}}", False),
        ("pattern", False),
    ],
)
def test_critics_of_others_are_in_the_schema(critic: str, right: bool) -> None:
    text = f"{ONE}    critics: [{critic}]\n"
    schema = json_schema(CATALOGUE)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid(parsed(text)) is right
    assert (problems(text, catalogue=CATALOGUE) == []) is right


def test_without_a_critic_for_it_any_entity_has_its_form() -> None:
    validator = jsonschema.Draft202012Validator(json_schema(CATALOGUE))
    assert validator.is_valid(parsed(f"{ONE}pii: {{output: {{NEW_ENTITY: mask}}}}\n"))
    assert not validator.is_valid(parsed(f"{ONE}pii: {{output: {{new: mask}}}}\n"))


def test_a_yaml_reader_of_1_1_gives_the_same_for_shipped_files() -> None:
    """Editors read so: nothing shipped may mean two things."""
    for file in SHIPPED.glob("*.yaml"):
        text = file.read_text()
        assert yaml.load(text, yaml.CSafeLoader) == parsed(text)
