"""What is wrong in a file of settings: all of it, in plain words, each at its place.

No value is repeated, for it may be a secret. Places are found by reading the file a second time,
for the standard library's TOML reader tells none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pydantic import AfterValidator, ValidationError

__all__ = ["Place", "Steps", "of_form", "places", "wrongs"]

Steps = tuple[str, ...]
Place = tuple[int, int]
"""Line and column, from 1."""

EXPECTED: Mapping[str, str] = {
    "string_type": "a text",
    "string_sub_type": "a text",
    "string_unicode": "a text",
    "path_type": "the path of a file",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("{} or more", "ge"),
    "greater_than": ("more than {}", "gt"),
    "less_than_equal": ("at most {}", "le"),
    "less_than": ("less than {}", "lt"),
    "too_long": ("at most {} entries", "max_length"),
    "too_short": ("at least {} entries", "min_length"),
    "string_too_long": ("at most {} characters", "max_length"),
    "literal_error": ("{}", "expected"),
}


def of_form(pattern: str, words: str) -> AfterValidator:
    """A text of this form, which is called so where it is not."""
    form = re.compile(pattern)

    def fit(said: str) -> str:
        if form.fullmatch(said) is None:
            raise ValueError(f"expected {words}")
        return said

    return AfterValidator(fit)


def wrongs(
    error: ValidationError,
    values: Mapping[str, Any],
    *,
    tell: Callable[[Steps, str], str],
    known: Callable[[Steps], Iterable[str]],
    hints: Mapping[Steps, str] | None = None,
) -> list[str]:
    """Each thing that is wrong, once. `tell` puts a place before it, `known` gives the keys of a
    table, `hints` say what to do where something is missing."""
    found: dict[Steps, dict[str, None]] = {}
    for item in error.errors(include_input=False, include_url=False):
        steps = _steps(item["loc"], values)
        found.setdefault(steps, {})[_what(item, steps, known, hints or {})] = None
    return [tell(steps, _together([*said])) for steps, said in found.items()]


def _steps(loc: Sequence[int | str], values: Mapping[str, Any]) -> Steps:
    """As far as there are tables and lists: what is below a value is pydantic's own way."""
    steps: list[str] = []
    at: object = values
    for step in loc:
        if isinstance(at, Mapping):
            steps.append(str(step))
            at = at.get(step)
        elif isinstance(at, list) and isinstance(step, int) and step < len(at):
            steps.append(str(step + 1))
            at = at[step]
        elif step == "[key]":
            break
    return tuple(steps)


def _what(
    item: Any, steps: Steps, known: Callable[[Steps], Iterable[str]], hints: Mapping[Steps, str]
) -> str:
    kind, context = str(item["type"]), item.get("ctx") or {}
    if item["loc"][-1:] == ("[key]",) and kind == "literal_error":
        return f"unknown key; expected {context.get('expected')}"
    if kind == "extra_forbidden":
        names = list(known(steps[:-1]))
        meant = get_close_matches(steps[-1], names, n=1)
        return "unknown key" + (f"; did you mean {meant[0]!r}?" if meant else "")
    if kind == "missing":
        hint = hints.get(steps)
        return "missing" + (f"; {hint}" if hint else "")
    if kind in EXPECTED:
        return f"expected {EXPECTED[kind]}"
    if kind in BOUNDS:
        words, name = BOUNDS[kind]
        return f"expected {words.format(_number(context.get(name)))}"
    if kind == "string_too_short":
        return "expected a text that is not empty"
    return str(item["msg"]).removeprefix("Value error, ")


def _number(said: object) -> object:
    return int(said) if isinstance(said, float) and said.is_integer() else said


def _together(said: list[str]) -> str:
    """Several for one value are what it might have been."""
    start = "expected "
    if len(said) > 1 and all(one.startswith(start) for one in said):
        return start + " or ".join(one.removeprefix(start) for one in said)
    return "; ".join(said)


# -- places in TOML ------------------------------------------------------------------------------


def places(text: str) -> Callable[[Steps], Place]:
    """Finds where a key of a TOML document stands, or the nearest table around it."""
    reader = _Reader(text)
    with suppress(IndexError):  # no TOML that we know: what was found so far stands
        reader.read()

    def place(steps: Steps) -> Place:
        while steps and steps not in reader.found:
            steps = steps[:-1]
        at = reader.found.get(steps, 0)
        return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1

    return place


_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^,\]}#\n]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL
)


@dataclass(slots=True)
class _Reader:
    """Of a document that is known to be TOML. Raises IndexError where it is none."""

    text: str
    at: int = 0
    found: dict[Steps, int] = field(default_factory=dict)

    def read(self) -> None:
        table: Steps = ()
        while True:
            self._passes(_BLANK)
            if self.at == len(self.text):
                return
            if self.text[self.at] == "[":
                start = self.at
                double = self.text.startswith("[[", self.at)
                self.at += 1 + double
                table = self._key((), start)
                self.at += 1 + double
            else:
                self._pair(table)

    def _pair(self, table: Steps) -> None:
        steps = self._key(table, self.at)
        self.at += 1  # =
        self._value(steps)

    def _key(self, table: Steps, start: int) -> Steps:
        """Its steps, each of them marked."""
        steps = table
        while True:
            self._passes(_SPACE)
            if self.text[self.at] in "\"'":
                steps = (*steps, self._taken(_STRING)[1:-1])
            else:
                steps = (*steps, self._taken(_BARE))
            self.found.setdefault(steps, start)
            self._passes(_SPACE)
            if self.text[self.at] != ".":
                return steps
            self.at += 1

    def _value(self, steps: Steps) -> None:
        self._passes(_SPACE)
        match self.text[self.at]:
            case "{":
                self._within("}", lambda _: self._pair(steps))
            case "[":
                self._within("]", lambda number: self._item((*steps, str(number))))
            case '"' | "'":
                self._taken(_STRING)
            case _:
                self._passes(_PLAIN)

    def _item(self, steps: Steps) -> None:
        self.found.setdefault(steps, self.at)
        self._value(steps)

    def _within(self, end: str, read: Callable[[int], None]) -> None:
        self.at += 1
        number = 0
        while True:
            self._passes(_BLANK)
            if self.text[self.at] == end:
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            number += 1
            before = self.at
            read(number)
            if self.at == before:  # nothing that could stand here
                raise IndexError

    def _passes(self, form: re.Pattern[str]) -> None:
        found = form.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _taken(self, form: re.Pattern[str]) -> str:
        found = form.match(self.text, self.at)
        if found is None:
            raise IndexError
        self.at = found.end()
        return found[0]
