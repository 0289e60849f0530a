"""Reads a pattern as written in a constitution: RE2's dialect, with reasons for what is refused.

`^` and `$` are the begin and end of the text (of a line under `(?m)`), `.` is anything but a line
feed (anything under `(?s)`). Groups never capture. Flags i, m, s and U may be set and unset.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, replace

from guardrails.text.expression import (
    DIGIT,
    NOT_DIGIT,
    NOT_SPACE,
    NOT_WORD,
    SPACE,
    WORD,
    Anchor,
    CharacterClass,
    Choice,
    ClassItem,
    Edge,
    Literal,
    Node,
    Repeat,
    Sequence,
    quoted,
    words,
)
from guardrails.text.normalise import normalise

__all__ = ["PatternError", "read"]

MAX_CHARACTERS = 10_000
MAX_DEPTH = 60
MAX_TIMES = 1_000
"""RE2's own limit on a counted repeat."""

CLASSES = {
    "w": WORD,
    "W": NOT_WORD,
    "d": DIGIT,
    "D": NOT_DIGIT,
    "s": SPACE,
    "S": NOT_SPACE,
}
ANYTHING = CharacterClass((ClassItem(r"\x00-\x{10FFFF}"),))
NO_LINE_FEED = CharacterClass((ClassItem(r"\n"),), negated=True)
TIMES: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
POSIX_WORDS = frozenset({"alnum", "alpha", "digit", "lower", "upper", "word", "xdigit"})
POSIX = POSIX_WORDS | {"ascii", "blank", "cntrl", "graph", "print", "punct", "space"}

GROUPS = {
    "(?=": "look-ahead is not in RE2; match what follows as well, or use `unless`",
    "(?!": "look-ahead is not in RE2; say what may follow, or use `unless`",
    "(?<=": "look-behind is not in RE2; match what stands before as well",
    "(?<!": "look-behind is not in RE2; say what may stand before, or use `unless`",
    "(?>": "atomic groups are not in RE2, which never backtracks; use (?:…)",
    "(?(": "conditionals are not in RE2; write both cases as alternatives",
    "(?#": "comments are not in RE2; use a YAML comment",
    "(?|": "branch resets are not in RE2; use (?:…)",
    "(?&": "recursion is not in RE2; write the repetition out",
    "(?R": "recursion is not in RE2; write the repetition out",
    "(?P=": "back-references are not in RE2; write the repeated part out",
    "(?P>": "recursion is not in RE2; write the repetition out",
}
ESCAPES = {
    "B": r"`\B` is refused: only `\b` has Unicode's meaning here; name the neighbours instead",
    "C": r"`\C` would cut characters into bytes; use `.`",
    "G": r"`\G` is not in RE2; hits never overlap anyway",
    "K": r"`\K` is not in RE2; the whole match is the span",
    "N": r"named characters are not in RE2; write \x{…}",
    "R": r"`\R` is not in RE2; write (?:\r\n|[\n\r])",
    "U": r"`\U` is not in RE2; write \x{…}",
    "X": r"`\X` is not in RE2; write \PM\pM*",
    "Z": r"`\Z` is not in RE2; use \z or $",
    "h": r"`\h` is not in RE2; write [\t\pZs]",
    "k": "back-references are not in RE2; write the repeated part out",
    "u": r"`\u` is not in RE2; write \x{…}",
}


class PatternError(ValueError):
    """A pattern cannot be used; says why and what to write instead."""


@dataclass(frozen=True, slots=True)
class _Flags:
    case: bool | None = None
    lines: bool = False
    dot_all: bool = False
    lazy: bool = False


def read(source: str) -> Node:
    """Raises PatternError."""
    if len(source) > MAX_CHARACTERS:
        raise PatternError(
            f"{len(source)} characters; at most {MAX_CHARACTERS:,} are read: split it into several"
        )
    seen = normalise(source).text
    if seen != source:
        raise PatternError(
            f"texts are normalised (NFKC) before they are searched, and there it reads {seen!r}; "
            r"write it so (the ends of a range of characters as \x{…})"
        )
    return _Reader(source).read()


class _Reader:
    """Recursive descent; `_at` is the place of the next character."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._depth = 0
        self._flags = _Flags()

    def read(self) -> Node:
        node = self._choice()
        if self._at < len(self._source):
            raise self._error("this ) closes no group")
        return node

    # -- structure ---------------------------------------------------------------------------

    def _choice(self) -> Node:
        alternatives = [self._sequence()]
        while self._took("|"):
            alternatives.append(self._sequence())
        return alternatives[0] if len(alternatives) == 1 else Choice(tuple(alternatives))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._source[self._at : self._at + 1] not in ("", "|", ")"):
            atoms = self._atoms()
            parts += atoms[:-1]
            parts += map(self._repeated, atoms[-1:])
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _repeated(self, node: Node) -> Node:
        times = self._times()
        if times is None:
            return node
        if isinstance(node, Anchor | Edge):
            raise self._error("a place in the text cannot be repeated")
        lazy = self._took("?") != self._flags.lazy
        if self._ahead("+"):
            raise self._error("possessive repeats are not in RE2, which never backtracks")
        if self._times() is not None:
            raise self._error("a repeat of a repeat; put the first into a group")
        return Repeat(node, *times, lazy)

    def _times(self) -> tuple[int, int | None] | None:
        sign = self._source[self._at : self._at + 1]
        if sign in TIMES:
            self._at += 1
            return TIMES[sign]
        if sign != "{":
            return None
        end = self._source.find("}", self._at)
        low, comma, high = self._source[self._at + 1 : max(end, 0)].partition(",")
        if not _is_number(low) or not (high == "" or _is_number(high)):
            if low == "" and _is_number(high):
                raise self._error(f"write {{0,{high}}}")
            return None
        least, most = _count(low), _count(high) if high else None if comma else _count(low)
        if max(least, most or 0) > MAX_TIMES or (most is not None and most < least):
            raise self._error(f"a count must go upwards and be at most {MAX_TIMES:,}")
        self._at = end + 1
        return least, most

    # -- one atom ----------------------------------------------------------------------------

    def _atoms(self) -> list[Node]:
        """One atom, or the several of a quoted run, or none where flags are set."""
        if self._ahead("("):
            return self._group()
        if self._took(r"\Q"):
            run, _, _ = self._source[self._at :].partition(r"\E")
            self._at += len(run)
            self._took(r"\E")
            return [self._literal(character) for character in run]
        if self._times() is not None:
            raise self._error("nothing to repeat")
        return [self._single()]

    def _single(self) -> Node:
        flags = self._flags
        match character := self._next():
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case "^":
                return Anchor("(?m:^)" if flags.lines else r"\A")
            case "$":
                return Anchor("(?m:$)" if flags.lines else r"\z")
            case ".":
                return ANYTHING if flags.dot_all else NO_LINE_FEED
            case _:
                return self._literal(character)

    def _literal(self, character: str) -> Literal:
        if not character.isascii() and normalise(character).text != character:
            raise self._error(f"no normalised text (NFKC) holds U+{ord(character):04X}")
        return Literal(character, self._flags.case)

    def _group(self) -> list[Node]:
        for start, reason in GROUPS.items():
            if self._ahead(start):
                raise self._error(reason)
        outer = self._flags
        self._at += 1
        if self._took("?") and not self._took_name() and not self._set_flags():
            return []  # (?i) holds until the group around it ends
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"groups are nested deeper than {MAX_DEPTH}")
        node = self._choice()
        if not self._took(")"):
            raise self._error("a group is not closed")
        self._depth -= 1
        self._flags = outer
        return [node]

    def _took_name(self) -> bool:
        if not (self._took("P<") or self._took("<")):
            return False
        name, closed, _ = self._source[self._at :].partition(">")
        if not closed or not name.isidentifier():
            raise self._error("a group's name must be a word and end in >")
        self._at += len(name) + 1
        return True

    def _set_flags(self) -> bool:
        """Reads `i-s:` or `i-s)`; True if a group follows."""
        on = True
        flags = self._flags
        while not self._ahead(":", ")"):
            match self._next():
                case "i":
                    flags = replace(flags, case=not on)
                case "m":
                    flags = replace(flags, lines=on)
                case "s":
                    flags = replace(flags, dot_all=on)
                case "U":
                    flags = replace(flags, lazy=on)
                case "-" if on:
                    on = False
                case _:
                    raise self._error("this kind of group or flag is not in RE2; use (?:…)")
        self._flags = flags
        return self._next() == ":"

    # -- characters --------------------------------------------------------------------------

    def _escape(self) -> Node:
        if self._took("b"):
            return Edge()
        if self._took("A"):
            return Anchor(r"\A")
        if self._took("z"):
            return Anchor(r"\z")
        found = self._class_escape()
        if found is not None:
            return CharacterClass((found,), case=self._flags.case)
        return self._literal(self._literal_escape())

    def _class_escape(self) -> ClassItem | None:
        """`\\d` and its like, `\\p{…}`; None for any other escape."""
        letter = self._source[self._at : self._at + 1]
        if letter in CLASSES:
            self._at += 1
            return CLASSES[letter]
        if not self._ahead("p", "P"):
            return None
        sign = self._next()
        name = self._next()
        if name == "{":
            name, closed, _ = self._source[self._at :].partition("}")
            self._at += len(name) + 1
            if not closed or not name.lstrip("^").replace("_", "").isalnum():
                raise self._error(r"a class of characters is written \p{Greek}")
        word = sign == "p" and name[:1] in {"L", "M", "N"} and len(name) <= 2
        return ClassItem(f"\\{sign}{{{name}}}", word=word, weight=1_600)

    def _literal_escape(self) -> str:
        letter = self._next()
        if letter in CONTROLS:
            return CONTROLS[letter]
        if letter == "x":
            return self._by_number()
        if letter == "0":
            octal = [self._next() for _ in range(2) if self._ahead(*string.octdigits)]
            return chr(int("".join(octal) or "0", 8))
        if letter in ESCAPES:
            raise self._error(ESCAPES[letter])
        if letter.isdigit():
            raise self._error("back-references are not in RE2; write the repeated part out")
        if letter.isalnum():
            raise self._error(f"`\\{letter}` is not in RE2")
        return letter

    def _by_number(self) -> str:
        if self._took("{"):
            digits, _, _ = self._source[self._at :].partition("}")
            self._at += len(digits) + 1
        else:
            digits = self._source[self._at : self._at + 2].ljust(2)
            self._at += 2
        if not digits or not set(digits) <= set(string.hexdigits) or len(digits) > 6:
            raise self._error(r"a character by number is written \x41 or \x{1F600}")
        number = int(digits, 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise self._error(f"there is no character {digits}")
        return chr(number)

    # -- classes -----------------------------------------------------------------------------

    def _class(self) -> CharacterClass:
        negated = self._took("^")
        items: list[ClassItem] = []
        while not items or not self._ahead("]"):
            items.append(self._class_item())
        self._next()
        if negated and NOT_WORD in items:
            raise self._error(
                r"RE2 cannot write \W inside a negated class; write what may stand there, "
                r"for instance [\pL\pN] for [^\W_]"
            )
        return CharacterClass(tuple(items), negated, self._flags.case)

    def _class_item(self) -> ClassItem:
        if self._took("[:"):
            return self._posix()
        first: str | ClassItem = self._class_character()
        if not self._ahead("-") or self._ahead("-]"):
            return first if isinstance(first, ClassItem) else _range(first, first)
        self._next()
        last = self._class_character()
        if isinstance(first, ClassItem) or isinstance(last, ClassItem) or last < first:
            raise self._error("a range must go upwards from one character to another")
        return _range(first, last)

    def _class_character(self) -> str | ClassItem:
        character = self._next()
        if character != "\\":
            return character
        if self._ahead("b", "A", "z"):
            raise self._error("a place in the text cannot be in a class")
        return self._class_escape() or self._literal_escape()

    def _posix(self) -> ClassItem:
        name, closed, _ = self._source[self._at :].partition(":]")
        if not closed or name.removeprefix("^") not in POSIX:
            raise self._error("a POSIX class is written [[:alpha:]]")
        self._at += len(name) + 2
        return ClassItem(f"[:{name}:]", word=name in POSIX_WORDS)

    # -- the source --------------------------------------------------------------------------

    def _ahead(self, *starts: str) -> bool:
        return self._source.startswith(starts, self._at)

    def _took(self, start: str) -> bool:
        if not self._source.startswith(start, self._at):
            return False
        self._at += len(start)
        return True

    def _next(self) -> str:
        if self._at >= len(self._source):
            raise self._error("ends in the middle of something")
        self._at += 1
        return self._source[self._at - 1]

    def _error(self, reason: str) -> PatternError:
        return PatternError(f"character {min(self._at + 1, len(self._source))}: {reason}")


def _range(first: str, last: str) -> ClassItem:
    written = quoted(first) if first == last else f"{quoted(first)}-{quoted(last)}"
    return ClassItem(written, word=words(first, last), weight=8 if last.isascii() else 40)


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit()


def _count(digits: str) -> int:
    """The number, or one that is too large for any repeat."""
    return int(digits) if len(digits) <= 4 else MAX_TIMES + 1
