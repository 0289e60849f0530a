"""A call's arguments held to the rules for them. A fault names an argument as the rules name it,
and never says what stands in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from critics.tools.names import folded
from guardrails.constitution.tools import ArgumentRule, steps_of
from guardrails.text.normalise import normalise
from guardrails.text.patterns import compile_pattern, compiled, encoded

__all__ = ["ArgumentRules"]

ANY = "*"
_ADDRESS = re.compile(
    r"https?://([A-Za-z0-9.-]{1,253})(?::[0-9]{1,5})?(?:[/?#][!-\[\]-~\u00a1-\U0010ffff]*)?"
)
"""A web address that all readers read alike: no user in front of the host, no backslash, no blank,
no control."""
_BLANK = re.compile(r"\s")


@dataclass(slots=True)
class _Node:
    """What is said at one place of the arguments and below it."""

    path: str
    rule: _Rule | None = None
    named: dict[str, _Node] = field(default_factory=dict)
    each: _Node | None = None

    @property
    def is_required(self) -> bool:
        mine = self.rule is not None and self.rule.required
        return mine or any(node.is_required for node in self.named.values())


class ArgumentRules:
    """The rules for one tool's arguments."""

    def __init__(self, rules: Mapping[str, ArgumentRule], *, additional: bool) -> None:
        self._additional = additional
        self._root = _Node("")
        for path, rule in rules.items():
            node = self._root
            for step in steps_of(path):
                node = _below(node, step)
            node.rule = _Rule(rule)

    def faults(self, arguments: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with the arguments, each by its place in the rules."""
        yield from self._object(self._root, arguments)

    def _value(self, node: _Node, value: Any) -> Iterator[str]:
        """A list stands for each of its items, null for nothing."""
        if value is None:
            return
        if isinstance(value, list):
            for item in value:
                if node.each is not None:
                    yield from self._value(node.each, item)
                if node.rule is not None or node.named:
                    yield from self._value(_without_each(node), item)
            return
        if node.rule is not None:
            yield from (f"{_shown(node)} {fault}" for fault in node.rule.faults(value))
        if not node.named and node.each is None:
            return
        if isinstance(value, dict):
            yield from self._object(node, value)
        else:
            yield f"{_shown(node)} is no object"

    def _object(self, node: _Node, value: Mapping[str, Any]) -> Iterator[str]:
        likes = {folded(name) for name in node.named} - {""}
        for key, item in value.items():
            if key in node.named:
                yield from self._value(node.named[key], item)
            elif folded(key) in likes:
                yield f"{_shown(node)} holds a name that looks like another argument's"
            elif not self._additional and node.each is None and (node.named or node is self._root):
                yield f"{_shown(node)} holds an argument that no rule names"
            if node.each is not None:
                yield from self._value(node.each, item)
        for name, below in node.named.items():
            if below.is_required and _is_nothing(value.get(name)):
                yield f"{_shown(below)} is missing"


def _is_nothing(value: Any) -> bool:
    """Null, and a list without anything else in it."""
    return value is None or (isinstance(value, list) and all(map(_is_nothing, value)))


def _below(node: _Node, step: str) -> _Node:
    path = f"{node.path}.{step}" if node.path else step
    if step == ANY:
        node.each = node.each or _Node(path)
        return node.each
    return node.named.setdefault(step, _Node(path))


def _without_each(node: _Node) -> _Node:
    return _Node(node.path, node.rule, node.named)


def _shown(node: _Node) -> str:
    return f"argument {node.path!r}" if node.path else "the call"


class _Rule:
    """What one argument may be."""

    def __init__(self, said: ArgumentRule) -> None:
        self._said = said
        self.required = bool(said.required)
        self._match = [compiled(source, weight=0) for source in _several(said.match)]
        self._refuse = [compile_pattern(source) for source in _several(said.refuse)]
        self._one_of = {_key(value) for value in said.one_of or ()}

    def faults(self, value: Any) -> Iterator[str]:
        """What is wrong with a value that is neither a list nor null."""
        if self._refuse and any(map(self._is_refused, _texts(value))):
            yield "holds what 'refuse' looks for"
        said = self._said
        single = (said.match, said.one_of, said.hosts, said.min, said.max, said.max_length)
        if isinstance(value, dict):
            if any(rule is not None for rule in single):
                yield "is an object where one value is expected"
            return
        text = _text(value)
        if self._match and not any(p.fullmatch(encoded(text)) for p in self._match):
            yield "does not fit 'match'"
        if said.one_of is not None and _key(value) not in self._one_of:
            yield "is none of 'one_of'"
        if said.hosts is not None and not _is_at(value, said.hosts):
            yield "is no web address of 'hosts'"
        if said.max_length is not None and len(text) > said.max_length:
            yield "is longer than 'max_length'"
        if said.min is not None or said.max is not None:
            yield from self._size(value)

    def _is_refused(self, text: str) -> bool:
        """In the text as it came, or as it looks."""
        seen = normalise(text).text
        return any(p.findall(seen) or (seen != text and p.findall(text)) for p in self._refuse)

    def _size(self, value: Any) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield "is no number"
        elif self._said.min is not None and not value >= self._said.min:
            yield "is less than 'min'"
        elif self._said.max is not None and not value <= self._said.max:
            yield "is more than 'max'"


def _several(said: str | list[str] | None) -> list[str]:
    return [said] if isinstance(said, str) else said or []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, the keys of objects too."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list):
            waiting += item
        elif item is not None:
            yield _text(item)


def _key(value: Any) -> tuple[bool, Any]:
    """Equal for what JSON calls equal: 1 and 1.0, but not 1 and true."""
    return isinstance(value, bool), value


def _is_at(value: Any, hosts: list[str]) -> bool:
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if found is None or _BLANK.search(value):
        return False
    host = found[1].lower()
    return any(host.endswith(said[1:]) if said.startswith("*.") else host == said for said in hosts)
