"""An editor that reads the schema knows every key that the loader knows, and refuses as it does."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from authoring_samples import REGISTRY
from pydantic import BaseModel

import constitutions
from guardrails.authoring.scaffold import SCHEMA_FILE, Plan, scaffold
from guardrails.constitution.document import File
from guardrails.constitution.load import parse_constitution
from guardrails.constitution.source import read_source
from guardrails.errors import ConstitutionError
from guardrails.verdict import Stage

SHIPPED: dict[str, Any] = json.loads(
    (Path(constitutions.__file__).parent / SCHEMA_FILE).read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SHIPPED)
SCAFFOLD = scaffold(
    Plan(name="desk", title="Desk", languages=["en", "de"], stages=list(Stage)), file="desk.yaml"
)
SOURCE: dict[str, Any] = read_source(SCAFFOLD, "desk.yaml").data
Place = tuple[str | int, ...]


def described(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every key: where it is defined, its name, and what is said of it."""
    yield from (("", key, said) for key, said in schema["properties"].items())
    for name, held in schema["$defs"].items():
        yield from ((name, key, said) for key, said in held.get("properties", {}).items())


def models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation)
    for argument in get_args(kind):
        yield from models(argument)


def told(said: dict[str, Any]) -> str:
    """What an editor shows; a key that can hold one word only speaks for itself."""
    reference = said.get("$ref", "").rpartition("/")[2]
    return str(said.get("description") or said.get("const") or told(SHIPPED["$defs"][reference]))


def test_every_key_is_told_what_it_means() -> None:
    assert all(told(said) for _, _, said in described(SHIPPED))


def test_every_key_that_the_loader_knows_is_offered() -> None:
    offered = {(at, key) for at, key, _ in described(SHIPPED)}
    for model in {*models(File)} - {File}:
        for name, field in model.model_fields.items():
            if any(at == model.__name__ for at, _ in offered):
                assert (model.__name__, field.alias or name) in offered
    assert {field.alias or name for name, field in File.model_fields.items()} == {
        key for at, key in offered if not at
    }
    for critic, entry in REGISTRY.items():
        for name, field in entry.config.model_fields.items():
            assert (f"critic_{critic}", field.alias or name) in offered


def test_choices_are_offered_by_name() -> None:
    principle = SHIPPED["$defs"]["PrincipleEntry"]["properties"]
    assert principle["severity"]["enum"] == ["low", "medium", "high", "critical"]
    assert principle["stages"]["items"]["enum"] == list(map(str, Stage))
    names = {form.get("const") for form in SHIPPED["$defs"]["critic"]["oneOf"]}
    assert names >= {"judge", "negative_examples", "secrets"}


# -- what both refuse ------------------------------------------------------------------------------


def refused(value: Any) -> tuple[bool, bool]:
    """Whether the editor refuses it, and whether the loader does."""
    try:
        parse_constitution(json.dumps(value), file="desk.yaml", catalogue=REGISTRY)
    except ConstitutionError:
        return not VALIDATOR.is_valid(value), True
    return not VALIDATOR.is_valid(value), False


def places(value: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    if at:
        yield at, value
    if at[-1:] == ("arguments",):  # anything goes there
        return
    inner = enumerate(value) if isinstance(value, list) else ()
    for key, below in value.items() if isinstance(value, dict) else inner:
        yield from places(below, (*at, key))


def changed(place: Place, key: str | int, new: Any) -> dict[str, Any]:
    """The scaffold with another key or value at a place."""
    made = copy.deepcopy(SOURCE)
    parent: Any = made
    for step in place[:-1]:
        parent = parent[step]
    if key != place[-1]:
        del parent[place[-1]]
    parent[key] = new
    return made


def test_the_scaffold_fits() -> None:
    assert refused(SOURCE) == (False, False)
    assert SCAFFOLD.startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")


KEYED = [(place, value) for place, value in places(SOURCE) if isinstance(place[-1], str)]


@pytest.mark.parametrize(
    ("place", "value"), KEYED, ids=[".".join(map(str, place)) for place, _ in KEYED]
)
def test_a_key_that_is_misspelt_is_refused_by_both(place: Place, value: Any) -> None:
    assert refused(changed(place, f"{place[-1]}X!", value)) == (True, True)


@pytest.mark.parametrize(
    ("place", "value"),
    [*places(SOURCE)],
    ids=[".".join(map(str, place)) for place, _ in places(SOURCE)],
)
def test_a_value_of_another_kind_is_refused_by_both(place: Place, value: Any) -> None:
    for other in ([[]], 1.5, None) if isinstance(value, dict) else ({}, 1.5, None):
        assert refused(changed(place, place[-1], other)) == (True, True), other
