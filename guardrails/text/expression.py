"""What a pattern is made of: a small tree that knows its width, its ends and how RE2 writes it.

Each node is written in one of two ways. *Exact* has Unicode's meaning of `\\w \\d \\s`; its classes
are large (`\\w` alone is some 1,400 steps). *Coarse* takes any character beyond ASCII as a possible
member: the same thing on ASCII text, a cheap necessary condition on any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, cast

import re2

__all__ = [
    "DIGIT",
    "NOT_DIGIT",
    "NOT_SPACE",
    "NOT_WORD",
    "SPACE",
    "UNBOUNDED_CHARACTERS",
    "WORD",
    "Anchor",
    "CharacterClass",
    "Choice",
    "ClassItem",
    "Edge",
    "Literal",
    "Node",
    "Repeat",
    "Sequence",
    "begun",
    "is_word",
    "quoted",
    "words",
]

UNBOUNDED_CHARACTERS = 100
"""What an unbounded repeat counts in a pattern's width."""

BEYOND_ASCII = r"\x{80}-\x{10FFFF}"


class Node(Protocol):
    """One part of a pattern."""

    @property
    def least(self) -> int:
        """The fewest characters it can match; 0 if it may be empty."""
        ...

    @property
    def most(self) -> int:
        """The most characters it can match, an unbounded repeat counted as 100."""
        ...

    @property
    def unbounded(self) -> bool: ...

    @property
    def weight(self) -> int:
        """About how many steps RE2's program for the exact form has, rounded up."""
        ...

    def written(self, *, coarse: bool) -> str:
        """RE2's notation, without capturing groups."""
        ...

    def word_at(self, end: int) -> bool:
        """Whether whatever it matches surely has a word character there (0: first, -1: last)."""
        ...


@dataclass(frozen=True, slots=True)
class Literal:
    """One character. `case` says whether letter case counts here; None: as in the whole pattern."""

    character: str
    case: bool | None = None

    least = most = 1
    unbounded = False
    weight = 12

    def written(self, *, coarse: bool) -> str:
        return _cased(quoted(self.character), self.case)

    def word_at(self, end: int) -> bool:
        return is_word(self.character)


@dataclass(frozen=True, slots=True)
class ClassItem:
    """A member of a class as RE2 writes it. `ascii`: its ASCII part where coarse and exact differ.

    `exact` is None for what RE2 cannot write inside a class. `word`: all of it are word characters.
    """

    exact: str | None
    ascii: str | None = None
    word: bool = False
    weight: int = 40

    def written(self, *, coarse: bool, negated: bool) -> str:
        if not coarse or self.ascii is None:
            return cast("str", self.exact)
        # Coarse may only ever match more, so under a negation it must leave out more.
        return self.ascii if negated else self.ascii + BEYOND_ASCII


WORD = ClassItem(r"\p{L}\p{M}\p{N}_", "0-9A-Za-z_", word=True, weight=1_600)
NOT_WORD = ClassItem(None, r"\x00-/:-@\[-\^`\{-\x7f", weight=1_600)
DIGIT = ClassItem(r"\p{Nd}", "0-9", word=True, weight=120)
NOT_DIGIT = ClassItem(r"\P{Nd}", r"\x00-/:-\x7f", weight=160)
SPACE = ClassItem(r"\t-\r\x20\x{85}\p{Z}", r"\t-\r\x20", weight=60)
NOT_SPACE = ClassItem(
    r"\x00-\x08\x0e-\x1f!-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}"
    r"\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}",
    r"\x00-\x08\x0e-\x1f!-\x7f",
    weight=120,
)
"""Unicode's White_Space and its complement, which is small enough to be written out."""


@dataclass(frozen=True, slots=True)
class CharacterClass:
    """One character out of a set; also what `.` and `\\d` are."""

    items: tuple[ClassItem, ...]
    negated: bool = False
    case: bool | None = None

    least = most = 1
    unbounded = False

    @property
    def weight(self) -> int:
        return sum(item.weight for item in self.items)

    def written(self, *, coarse: bool) -> str:
        if coarse and not self.negated:
            return _cased(self._coarse(), self.case)
        hat = "^" if self.negated else ""
        inside = [item for item in self.items if coarse or item.exact is not None]
        members = "".join(item.written(coarse=coarse, negated=self.negated) for item in inside)
        written = f"[{hat}{members}]" if members else ""
        if len(inside) < len(self.items):
            not_word = f"[^{WORD.exact}]"
            written = f"(?:{not_word}|{written})" if written else not_word
        return _cased(written, self.case)

    def _coarse(self) -> str:
        """What takes in all beyond ASCII is written so that letter case counts: two characters
        there, ſ and the Kelvin sign, would else let in s and k. Its ASCII part has both cases."""
        kinds = {
            wide: "".join(
                item.written(coarse=True, negated=False)
                for item in self.items
                if (item.ascii is not None) is wide
            )
            for wide in (True, False)
        }
        written = [f"(?-i:[{kinds[True]}])"] if kinds[True] else []
        written += [f"[{kinds[False]}]"] if kinds[False] else []
        return written[0] if len(written) == 1 else f"(?:{'|'.join(written)})"

    def word_at(self, end: int) -> bool:
        return not self.negated and all(item.word for item in self.items)


@dataclass(frozen=True, slots=True)
class Anchor:
    """The begin or end of the text or, under `(?m)`, of a line."""

    notation: str

    least = most = 0
    unbounded = False
    weight = 2

    def written(self, *, coarse: bool) -> str:
        return self.notation

    def word_at(self, end: int) -> bool:
        return True  # empty: the neighbour has the word


@dataclass(frozen=True, slots=True)
class Edge:
    """`\\b`. It stands only at the ends of alternatives, where whoever compiles takes it off."""

    least = most = 0
    unbounded = False
    weight = 2 * WORD.weight

    def written(self, *, coarse: bool) -> str:
        raise AssertionError("an edge is taken off before its pattern is written")

    def word_at(self, end: int) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: tuple[Node, ...]

    @property
    def least(self) -> int:
        return sum(part.least for part in self.parts)

    @property
    def most(self) -> int:
        return sum(part.most for part in self.parts)

    @property
    def unbounded(self) -> bool:
        return any(part.unbounded for part in self.parts)

    @property
    def weight(self) -> int:
        return sum(part.weight for part in self.parts)

    def written(self, *, coarse: bool) -> str:
        return "".join(_grouped(part, Choice, coarse=coarse) for part in self.parts)

    def word_at(self, end: int) -> bool:
        for part in self.parts if end == 0 else reversed(self.parts):
            if not part.word_at(end):
                return False
            if part.least > 0:
                break
        return True


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives; the first that fits is taken."""

    alternatives: tuple[Node, ...]

    @property
    def least(self) -> int:
        return min(node.least for node in self.alternatives)

    @property
    def most(self) -> int:
        return max(node.most for node in self.alternatives)

    @property
    def unbounded(self) -> bool:
        return any(node.unbounded for node in self.alternatives)

    @property
    def weight(self) -> int:
        return sum(node.weight + 1 for node in self.alternatives)

    def written(self, *, coarse: bool) -> str:
        return "|".join(node.written(coarse=coarse) for node in self.alternatives)

    def word_at(self, end: int) -> bool:
        return all(node.word_at(end) for node in self.alternatives)


@dataclass(frozen=True, slots=True)
class Repeat:
    """`most_times` is None for an unbounded repeat."""

    node: Node
    least_times: int
    most_times: int | None
    lazy: bool = False

    @property
    def least(self) -> int:
        return self.node.least * self.least_times

    @property
    def most(self) -> int:
        if self.most_times is not None:
            return self.node.most * self.most_times
        once = self.node.most * max(1, self.least_times)
        return max(UNBOUNDED_CHARACTERS, once) if once else 0

    @property
    def unbounded(self) -> bool:
        return self.most_times is None or self.node.unbounded

    @property
    def weight(self) -> int:
        times = self.least_times + 1 if self.most_times is None else self.most_times
        return (self.node.weight + 1) * max(1, times)

    def written(self, *, coarse: bool) -> str:
        times = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get(
            (self.least_times, self.most_times)
        ) or f"{{{self.least_times},{'' if self.most_times is None else self.most_times}}}"
        inner = _grouped(self.node, (Choice, Sequence, Repeat), coarse=coarse)
        return inner + times + ("?" if self.lazy else "")

    def word_at(self, end: int) -> bool:
        return self.node.word_at(end)


EMPTY = Sequence(())


def begun(node: Node) -> Node:
    """What matches any begin of whatever a node matches, the empty one and all of it included. What
    only looks at its neighbours is left out."""
    match node:
        case Sequence(parts=parts):
            made: Node = EMPTY
            for part in reversed(parts):
                made = Choice((Sequence((_without_edges(part), made)), begun(part)))
            return made
        case Choice(alternatives=alternatives):
            return Choice(tuple(map(begun, alternatives)))
        case Repeat(node=inner, most_times=most):
            times = None if most is None else max(0, most - 1)
            return Sequence((Repeat(_without_edges(inner), 0, times), begun(inner)))
        case Anchor() | Edge():
            return EMPTY
        case _:
            return Repeat(node, 0, 1)


def _without_edges(node: Node) -> Node:
    match node:
        case Sequence(parts=parts):
            return Sequence(tuple(map(_without_edges, parts)))
        case Choice(alternatives=alternatives):
            return Choice(tuple(map(_without_edges, alternatives)))
        case Repeat(node=inner, least_times=least, most_times=most, lazy=lazy):
            return Repeat(_without_edges(inner), least, most, lazy)
        case Anchor() | Edge():
            return EMPTY
        case _:
            return node


def quoted(character: str) -> str:
    """A character as RE2 writes it, inside a class or out."""
    plain = character.isascii() and character.isalnum()
    return character if plain else f"\\x{{{ord(character):x}}}"


def _cased(written: str, case: bool | None) -> str:
    return written if case is None else f"(?{'-' if case else ''}i:{written})"


def _grouped(node: Node, kinds: type | tuple[type, ...], *, coarse: bool) -> str:
    written = node.written(coarse=coarse)
    return f"(?:{written})" if isinstance(node, kinds) else written


def words(first: str, last: str) -> bool:
    """Whether all characters of a range are word characters; False for very long ranges."""
    if ord(last) - ord(first) > 50_000:
        return False
    return is_word("".join(map(chr, range(ord(first), ord(last) + 1))))


def is_word(characters: str) -> bool:
    """Whether all of them are word characters."""
    if characters.isascii():
        return all(character.isalnum() or character == "_" for character in characters)
    # RE2 is asked because its tables may be of another Unicode version than Python's.
    return _word_run().fullmatch(characters.encode("utf-8", "replace")) is not None


@cache
def _word_run() -> Any:
    return re2.compile(f"[{WORD.exact}]+")
