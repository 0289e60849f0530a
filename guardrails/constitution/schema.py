"""The JSON Schema of a constitution file, for editors and other readers of YAML.

Made from the models that the loader holds a file against, so that both know the same keys, types,
choices and needs. What only the loader can know is listed in `docs/constitution-format.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pydantic import ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from guardrails.constitution.document import File, Head
from guardrails.constitution.forms import ENTITY
from guardrails.constitution.model import Catalogue, CatalogueEntry, CriticConfig
from guardrails.errors import CriticError
from guardrails.verdict import Stage

__all__ = ["json_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:constitutional-guardrails:constitution:1"

TEXT_WITHOUT_PARENTS = {
    "if": {"not": {"required": ["extends"], "properties": {"extends": {"minItems": 1}}}},
    "then": {"properties": {"principles": {"items": {"required": ["text"]}}}},
}
"""Only under an inherited id may a principle do without a text."""


def json_schema(catalogue: Catalogue) -> dict[str, Any]:
    """JSON Schema 2020-12 of a constitution file, with the settings of each critic of `catalogue`.

    A critic whose package does not import is left out: no file can name it.
    """
    made = File.model_json_schema(schema_generator=_Generator)
    definitions = made.pop("$defs")
    for holder in ("PrincipleEntry", "PrincipleChange"):
        definitions[holder]["properties"]["critics"]["items"] = _ref("critic")
    for stage in Stage:
        definitions["PiiSection"]["properties"][stage]["propertyNames"] = _ref("entity")
    definitions |= {"entity": _entity(catalogue), **_critics(catalogue)}
    return {
        "$schema": DIALECT,
        "$id": ID,
        **made,
        "title": "Constitution",
        "description": Head.__doc__,
        **TEXT_WITHOUT_PARENTS,
        "$defs": dict(sorted(definitions.items())),
    }


class _Plain(GenerateJsonSchema):
    """Without titles, which only repeat the names of classes and keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return _without(super().model_schema(schema), "title")


class _Generator(_Plain):
    """For models whose keys may be left out but not be empty: None says "left out", never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return made if made.get("default") is not None else _without(made, "default")

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Each key is held to the keys' own schema; pydantic's would let other keys through."""
        made: JsonSchemaValue = {
            "type": "object",
            "propertyNames": self.generate_inner(schema["keys_schema"]),
            "additionalProperties": self.generate_inner(schema["values_schema"]),
        }
        self.update_with_validations(made, schema, self.ValidationsMapping.object)
        return made


def _critics(catalogue: Catalogue) -> dict[str, Any]:
    """`critic`: a name, or one name with its settings; and what the settings refer to."""
    forms: list[dict[str, Any]] = []
    definitions: dict[str, Any] = {}
    for name, entry in _importable(catalogue):
        prefix = f"critic_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"
        settings = _settings(entry.config, prefix)
        definitions |= {
            f"{prefix}_{n}": _all_given(held) for n, held in settings.pop("$defs", {}).items()
        }
        forms += _forms(name, entry.config, _ref(prefix))
        definitions[prefix] = settings
    return {"critic": {"oneOf": forms}, **definitions}


def _importable(catalogue: Catalogue) -> Iterator[tuple[str, CatalogueEntry]]:
    for name in sorted(catalogue):
        try:
            yield name, catalogue[name]
        except CriticError:
            continue


def _forms(
    name: str, config: type[CriticConfig], settings: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """How a principle can name a critic; one that must be told something is no bare name."""
    with suppress(ValidationError):
        config.model_validate({})
        yield {"const": name}
    yield {
        "type": "object",
        "properties": {name: settings},
        "required": [name],
        "additionalProperties": False,
    }


def _settings(config: type[CriticConfig], prefix: str) -> dict[str, Any]:
    """A critic's own schema, in which no setting is null; anything goes if its types have none."""
    template = f"#/$defs/{prefix}_{{model}}"
    try:
        made = config.model_json_schema(schema_generator=_Plain, ref_template=template)
    except PydanticInvalidForJsonSchema:
        return {"type": "object"}
    return _all_given(made)


def _all_given(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return {**schema, "properties": {key: _given(value) for key, value in properties.items()}}


def _given(setting: dict[str, Any]) -> dict[str, Any]:
    """A setting's schema without the null that says "left out"."""
    forms = [form for form in setting.get("anyOf", ()) if form != {"type": "null"}]
    kept = setting if setting.get("default", ...) is not None else _without(setting, "default")
    if len(forms) == 1:
        return {**_without(kept, "anyOf"), **forms[0]}
    return {**kept, "anyOf": forms} if forms else kept


def _entity(catalogue: Catalogue) -> dict[str, Any]:
    """The kinds of personal data, by name if the critic `pii` knows them."""
    for name, entry in _importable(catalogue):
        if name == "pii":
            known = _settings(entry.config, name).get("properties", {}).get("entity", {})
            if "enum" in known:
                return {"enum": known["enum"]}
    return {"type": "string", "pattern": ENTITY}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _without(schema: JsonSchemaValue, key: str) -> JsonSchemaValue:
    return {name: value for name, value in schema.items() if name != key}
