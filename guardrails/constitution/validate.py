"""Holding a file against the models of `document`; what is wrong is told in the format's words."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, Tag, TypeAdapter, ValidationError

from guardrails.constitution.cases import TestEntry
from guardrails.constitution.document import File, Head
from guardrails.constitution.forms import SHAPES
from guardrails.constitution.model import Catalogue
from guardrails.constitution.relaxing import RelaxEntry, WithdrawEntry
from guardrails.constitution.sections import PrincipleEntry
from guardrails.constitution.source import MAX_PROBLEMS, Loc, Source, kind_of
from guardrails.constitution.spelling import did_you_mean
from guardrails.constitution.tools import ToolRuleEntry, ToolsSection
from guardrails.errors import Problem

__all__ = ["Document", "read_document"]

RULE_KEYS = frozenset(ToolRuleEntry.model_fields)
TOOLS_KEYS = frozenset(ToolsSection.model_fields)

_SECTIONS: Mapping[str, TypeAdapter[Any]] = {
    "principles": TypeAdapter(PrincipleEntry),
    "withdraw": TypeAdapter(WithdrawEntry),
    "relax": TypeAdapter(RelaxEntry),
    "tests": TypeAdapter(TestEntry),
}
"""Lists whose entries stand for themselves: one that is wrong takes no other with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file by itself, before its parents. The lists keep the index of each entry; entries with
    problems are left out, so what is said about the others still holds.

    `problems` are all that were found without looking at any other file. `unread` are the sections
    of the head that were left out for them.
    """

    source: Source
    head: Head
    principles: Mapping[int, PrincipleEntry] = field(default_factory=dict)
    withdraw: Mapping[int, WithdrawEntry] = field(default_factory=dict)
    relax: Mapping[int, Any] = field(default_factory=dict)
    tests: Mapping[int, TestEntry] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()

    def written_ids(self) -> list[str]:
        """All ids under `principles`, those of entries with problems too."""
        entries = self.source.data.get("principles")
        if not isinstance(entries, list):
            return []
        found = (entry.get("id") for entry in entries if isinstance(entry, dict))
        return [id for id in found if isinstance(id, str)]


def read_document(source: Source, catalogue: Catalogue) -> tuple[Document | None, list[Problem]]:
    """The file's entries, and all that is wrong with them by themselves.

    None for the document when its head cannot be told, so that nothing more can be said.
    """
    problems = list(source.problems)
    head, unread = _head(source, catalogue, problems)
    sections = {name: _section(source, name, catalogue, problems) for name in _SECTIONS}
    if head is None:
        return None, problems
    return Document(source=source, head=head, unread=unread, **sections), problems


def _head(
    source: Source, catalogue: Catalogue, problems: list[Problem]
) -> tuple[Head | None, frozenset[str]]:
    data = {key: value for key, value in source.data.items() if key not in _SECTIONS}
    try:
        return Head.model_validate(data, context=catalogue), frozenset()
    except ValidationError as error:
        problems += _problems(error, source, (), catalogue)
        wrong = frozenset(
            str(item["loc"][0]) for item in error.errors(include_url=False) if item["loc"]
        )
    if wrong & {"id", "version", "extends"}:
        return None, wrong
    sound = {key: value for key, value in data.items() if key not in wrong}
    return Head.model_validate(sound, context=catalogue), wrong


def _section(
    source: Source, name: str, catalogue: Catalogue, problems: list[Problem]
) -> dict[int, Any]:
    if name not in source.data:
        if File.model_fields[name].is_required():
            problems.append(source.problem((), f"the key {name!r} is missing"))
        return {}
    entries = source.data[name]
    if not isinstance(entries, list):
        problems.append(source.problem((name,), *_expected("a list", entries)))
        return {}
    most = next(m.max_length for m in File.model_fields[name].metadata if hasattr(m, "max_length"))
    if len(entries) > most:
        what = f"too many entries: {len(entries):,}, {most:,} are allowed"
        problems.append(source.problem((name,), what))
        return {}
    read = {}
    for index, entry in enumerate(entries):
        try:
            read[index] = _SECTIONS[name].validate_python(entry, context=catalogue)
        except ValidationError as error:
            problems += _problems(error, source, (name, index), catalogue)
        if len(problems) > MAX_PROBLEMS:
            break
    return read


def _problems(
    error: ValidationError, source: Source, at: Loc, catalogue: Catalogue
) -> list[Problem]:
    """Each of pydantic's errors, which is about what stands at `at`, at its place in the file."""
    return [_problem(item, source, at, catalogue) for item in _errors(error)]


def _errors(error: ValidationError) -> Sequence[Mapping[str, Any]]:
    return error.errors(include_url=False)[:MAX_PROBLEMS]


def _problem(error: Mapping[str, Any], source: Source, at: Loc, catalogue: Catalogue) -> Problem:
    loc: Loc = (*at, *error["loc"])
    match error["type"]:
        case "extra_forbidden":
            known = _keys(loc[:-1], catalogue)
            near = did_you_mean(str(loc[-1]), known)
            hint = near or _belongs(loc) or f"expected {_one_of(known)}"
            return source.problem(loc, "unknown key", hint, at_key=True)
        case "missing":
            return source.problem(loc[:-1], f"the key {loc[-1]!r} is missing")
        case "empty":
            return source.problem(loc, error["msg"], at_key=True)
        case "misnamed":
            return source.problem((*loc, "id"), error["msg"])
    what, hint = _said(error)
    return source.problem(loc, what, hint, at_key="[key]" in loc)


def _belongs(loc: Loc) -> str:
    """Where a key that is not known here most likely belongs."""
    match loc:
        case ("tools", "rules", str(), _):
            return f"what an argument may be stands under 'arguments'; else {_one_of(RULE_KEYS)}"
        case ("tools", str()):
            return f"a rule for a tool stands under 'rules'; else {_one_of(TOOLS_KEYS)}"
    return ""


_MAPPINGS = ("dict_type", "model_type", "model_attributes_type", "dataclass_type")
_LISTS = ("list_type", "tuple_type", "set_type", "frozen_set_type")
_WANTED: Mapping[str, str] = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    **dict.fromkeys(_MAPPINGS, "a mapping"),
    **dict.fromkeys(_LISTS, "a list"),
}
_BOUNDS: Mapping[str, str] = {
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length:,} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length:,} entries",
}


def _said(error: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong, and what was expected, in words that need no knowledge of pydantic."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind in _WANTED:
        return _expected(_WANTED[kind], value)
    if kind == "too_short" and context["min_length"] == 1:
        return "expected at least one entry, found none", ""
    if kind in _BOUNDS:
        return f"expected {_BOUNDS[kind].format(**context)}", ""
    if kind == "string_pattern_mismatch":
        shape = SHAPES.get(context["pattern"], f"expected a text of the form {context['pattern']}")
        return shape, f"found {reprlib.repr(value)}" if value else "found an empty text"
    if kind == "literal_error":
        return _choice(value, context["expected"].replace("True", "true"))
    if kind == "value_error":
        return str(context["error"]), ""
    return error["msg"], ""


def _choice(value: Any, expected: str) -> tuple[str, str]:
    """One of a closed set was expected; pydantic tells the set as `'a', 'b' or 'c'`."""
    if not isinstance(value, str):
        return _expected(expected, value)
    if value == "pseudonymise":
        return "'pseudonymise' is not there yet", "use 'mask' or 'redact'"
    near = did_you_mean(value, expected.split("'")[1::2])
    return f"unknown value {reprlib.repr(value)}", near or f"expected {expected}"


def _expected(wanted: str, value: Any) -> tuple[str, str]:
    hint = "quote it" if wanted == "a text" and isinstance(value, bool | int | float) else ""
    if wanted == "a list" and isinstance(value, str) and value:
        hint = f"put it in brackets: [{reprlib.repr(value)}]"
    return f"expected {wanted}, found {kind_of(value)}", hint


def _one_of(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "no key here"


def _keys(loc: Loc, catalogue: Catalogue) -> set[str]:
    """The keys that a mapping at `loc` may have."""
    models: set[type[BaseModel]] = {File}
    for step, name in zip(loc, (*loc[2:], None, None), strict=False):
        if step == "critics" and name in catalogue:
            models = {catalogue[str(name)].config}
        below = [f.annotation for m in models for n, f in m.model_fields.items() if step == n]
        models = {model for kind in below for model in _models(kind, name)} or models
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def _models(kind: Any, tag: object = None) -> Iterator[type[BaseModel]]:
    """The models inside a type: of a list's items, a mapping's values, a union's forms; of a form
    with a tag, only if it is this one, where that is known."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    tags = [said.tag for said in getattr(kind, "__metadata__", ()) if isinstance(said, Tag)]
    if tags and isinstance(tag, str) and tag.startswith("<") and tag not in tags:
        return
    for argument in get_args(kind):
        yield from _models(argument, tag)
