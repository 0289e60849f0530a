"""Reading YAML as data: YAML 1.2's core scalars, bounded, and every value with its place.

No tags, anchors, aliases, merge keys or directives, so nothing in a file can refer, run or grow.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from guardrails.errors import ConstitutionError, Problem

__all__ = [
    "MAX_BYTES",
    "MAX_ITEMS",
    "MAX_KEYS",
    "MAX_LEVELS",
    "MAX_NODES",
    "MAX_PROBLEMS",
    "Loc",
    "Source",
    "kind_of",
    "read_source",
]

MAX_BYTES = 1024 * 1024
MAX_LEVELS = 40
MAX_NODES = 50_000
MAX_ITEMS = 5_000
"""Of one list: none of the format may be longer."""

MAX_KEYS = 1_000
"""Of one mapping."""

MAX_PROBLEMS = 100
"""More than these are of no use to anybody; the rest is cut off."""

COUNTED_FROM = 5_100
"""Few files have so many values; of those that do, the values are counted before more are made."""

MAX_NUMBER = 40
MAX_INTEGRAL = 2.0**53

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Only its parser is used: events, no construction of values."""

Loc = tuple[str | int, ...]
"""Keys and indexes from the document's root, as pydantic gives them."""

_UNWRITABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd"
    "\U00010000-\U000dffff\U000e0080-\U0010ffff]"
)
"""Control characters, and U+0085, U+2028, U+2029, which YAML 1.1 takes for line breaks and 1.2 does
not: a text must not mean two things. Nor may it show another one to who reviews it: characters that
turn the direction around (CVE-2021-42574), and tags, which nobody sees."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER = re.compile(
    r"(?P<decimal>[-+]?[0-9]+)|(?P<octal>0o[0-7]+)|(?P<hexadecimal>0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<endless>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_PLAIN_KEY = re.compile(r"[\w.-]+")
_NODES = frozenset({yaml.ScalarEvent, yaml.SequenceStartEvent, yaml.MappingStartEvent})
_DIRECTIVE = re.compile(r"(?:\A|[\n\r])(?=%)")


@dataclass(slots=True)  # not frozen: that would take half of the time of reading a large file
class Node:
    """A value with the place (from 1) where it starts, and where its key does if it has one."""

    value: Any = field(repr=False)
    line: int
    column: int
    children: Mapping[str | int, Node] | None = field(default=None, repr=False)
    key: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is well-formed, or nearly: `problems` are those that did not stop the reading."""

    file: str
    root: Node
    problems: tuple[Problem, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.root.value
        return data

    def problem(self, loc: Loc, what: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """A problem at the deepest part of `loc` that the file has; steps it lacks are skipped."""
        node, found = self._find(loc)
        line, column = (at_key and node.key) or (node.line, node.column)
        return Problem(
            file=self.file, line=line, column=column, where=path(found), what=what, hint=hint
        )

    def place(self, loc: Loc) -> str:
        """`file:line` of what stands there."""
        node, _ = self._find(loc)
        return f"{self.file}:{node.key[0] if node.key else node.line}"

    def _find(self, loc: Loc) -> tuple[Node, list[str | int]]:
        node, found = self.root, []
        for step in loc:
            if node.children and step in node.children:
                node = node.children[step]
                found.append(step)
        return node, found


def path(loc: Iterable[str | int]) -> str:
    """`principles[0].severity`, as messages name a place inside a document."""
    steps = []
    for step in loc:
        if isinstance(step, int):
            steps.append(f"[{step}]")
        elif not step:
            continue
        elif len(step) <= MAX_NUMBER * 2 and _PLAIN_KEY.fullmatch(step):
            steps.append(f".{step}")
        else:
            steps.append(f"[{reprlib.repr(step)}]")
    return "".join(steps).removeprefix(".")


def read_source(text: str | bytes, file: str, *, loader: Any = LOADER) -> Source:
    """Read one YAML document whose root is a mapping.

    Raises ConstitutionError if it cannot be read to its end. `loader` offers `get_event`.
    """
    reader = _Reader(_decoded(text, file), file, loader)
    return reader.read()


def _decoded(text: str | bytes, file: str) -> str:
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        what = f"the file has {size:,} bytes, {MAX_BYTES:,} are allowed"
        raise ConstitutionError([Problem(file=file, what=what, hint="split it with 'extends'")])
    text = (text if isinstance(text, str) else _from_utf8(text, file)).removeprefix("\ufeff")
    if unwritable := _UNWRITABLE.search(text):
        sign = ord(unwritable.group())
        escape = f"\\x{sign:02x}" if sign < 256 else f"\\u{sign:04x}"
        escape = escape if sign < 0x10000 else f"\\U{sign:08x}"
        hint = f'take it out; where it is meant, write "{escape}" in double quotes'
        if 0xD800 <= sign < 0xE000:
            hint = "take it out; half of a surrogate pair is no character"
        raise _at(file, text[: unwritable.start()], f"the character U+{sign:04X}", hint)
    return text


def _from_utf8(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        what = f"not UTF-8: the byte 0x{data[error.start]:02x}"
        raise _at(file, before, what, "save the file as UTF-8") from None


def _at(file: str, before: str, what: str, hint: str) -> ConstitutionError:
    """The error for what comes right after the text `before`."""
    lines = re.split(r"\r\n|\n|\r", before)
    problem = Problem(file=file, line=len(lines), column=len(lines[-1]) + 1, what=what, hint=hint)
    return ConstitutionError([problem])


class _Reader:
    """Turns the parser's events into nodes, and gathers what is wrong with them."""

    def __init__(self, text: str, file: str, loader: Any) -> None:
        self.text, self.file, self.loader = text, file, loader
        self.problems: list[Problem] = []
        self.steps: list[str | int] = []
        self.nodes = 0
        self.next: Any = None

    def read(self) -> Source:
        try:
            self.refuse_directives()
            self.next = self.loader(self.text).get_event
            root = self.document()
        except yaml.YAMLError as error:
            raise self.stopped(*_syntax(error)) from None
        return Source(self.file, root, tuple(self.problems))

    def refuse_directives(self) -> None:
        """Before the parser sees them: its time grows with the square of their number."""
        if found := _DIRECTIVE.search(self.text):
            what = "directives (%) are not part of this format"
            hint = "take the line out; a text that starts with '%' is indented or quoted"
            raise _at(self.file, self.text[: found.end()], what, hint)

    def count(self) -> None:
        """Refuse a bomb of values before most of them are made, which is what takes the time."""
        if len(self.text) <= MAX_NODES:
            return
        nodes = 0
        for event in iter(self.loader(self.text).get_event, None):
            if type(event) in _NODES:
                nodes += 1
                if nodes > MAX_NODES:
                    raise self.stopped(event.start_mark, *_TOO_MANY)

    def document(self) -> Node:
        self.next()  # the stream's start
        start = self.next()
        if isinstance(start, yaml.StreamEndEvent):
            what = "the file is empty"
            raise self.stopped(start.start_mark, what, "expected at least id, version, principles")
        root = self.node(self.next())
        self.next()  # the document's end
        if not isinstance(after := self.next(), yaml.StreamEndEvent):
            raise self.stopped(after.start_mark, "a second document", "a file holds one")
        if not isinstance(root.value, dict):
            what = (
                f"expected a mapping with id, version and principles, found {kind_of(root.value)}"
            )
            raise self.stopped(_Mark(root.line - 1, root.column - 1), what)
        return root

    def node(self, event: Any, key: tuple[int, int] | None = None) -> Node:
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            hint = (
                "write the value out, or quote a text that begins with '*'; 'extends' and "
                "'defaults' are the ways to reuse"
            )
            raise self.stopped(mark, "an alias (*)", hint)
        self.nodes += 1
        if self.nodes == COUNTED_FROM:
            self.count()
        if self.nodes > MAX_NODES:
            raise self.stopped(mark, *_TOO_MANY)
        if event.anchor is not None:
            self.problem(mark, "an anchor (&)", "'extends' and 'defaults' are the ways to reuse")
        if event.tag is not None:
            self.problem(mark, "a tag (!)", "a constitution holds plain data; quote the text")
        line, column = mark.line + 1, mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            return Node(self.scalar(event), line, column, key=key)
        if len(self.steps) >= MAX_LEVELS:
            raise self.stopped(mark, f"more than {MAX_LEVELS} levels of nesting")
        if isinstance(event, yaml.SequenceStartEvent):
            items = list(self.items())
            children: dict[str | int, Node] = dict(enumerate(items))
            return Node([item.value for item in items], line, column, children, key)
        entries = self.entries(flow=event.flow_style)
        values = {name: node.value for name, node in entries.items()}
        below: dict[str | int, Node] = dict(entries.items())
        return Node(values, line, column, below, key)

    def items(self) -> Iterator[Node]:
        index = 0
        self.steps.append(index)
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            if index == MAX_ITEMS:
                raise self.stopped(event.start_mark, f"more than {MAX_ITEMS:,} entries in a list")
            yield self.node(event)
            index += 1
            self.steps[-1] = index
        self.steps.pop()

    def entries(self, *, flow: bool) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            mark = event.start_mark
            if len(entries) == MAX_KEYS:
                raise self.stopped(mark, f"more than {MAX_KEYS:,} keys in a mapping")
            self.steps.append("")  # a key that is a list or mapping is a level, too
            name = self.key(event)
            self.steps[-1] = name or ""
            value = self.next()
            node = self.node(value, (mark.line + 1, mark.column + 1))
            if name is None:
                pass
            elif name in entries:
                line, column = entries[name].key or (0, 0)
                what = f"the key stands here twice, first at {line}:{column}"
                self.problem(mark, what, "keep one")
            elif flow and isinstance(value, yaml.ScalarEvent) and _is_bare(value):
                what = "a key without a value inside {}"
                self.problem(mark, what, "if a comma cut a text in two, quote it")
            else:
                entries[name] = node
            self.steps.pop()
        return entries

    def key(self, event: Any) -> str | None:
        """The key's text, or None with a problem said."""
        self.node(event)
        mark = event.start_mark
        if not isinstance(event, yaml.ScalarEvent):
            self.problem(mark, "a key must be a text")
        elif event.implicit[0] and event.value == "<<":
            hint = "'extends' and 'defaults' are the ways to reuse"
            self.problem(mark, "a merge key (<<)", hint)
        elif event.implicit[0] and not isinstance(_resolved(event.value), str):
            self.problem(mark, "a key must be a text", "quote it")
        else:
            name: str = event.value
            return name
        return None

    def scalar(self, event: Any) -> Any:
        if event.implicit[0] and event.tag is None:
            try:
                return _resolved(event.value)
            except ValueError as error:
                self.problem(event.start_mark, str(error), "quote it if it is a text")
                return 0
        if _SURROGATE.search(event.value):
            self.problem(event.start_mark, "half of a surrogate pair is no character")
            return ""
        return event.value

    def problem(self, mark: Any, what: str, hint: str = "") -> None:
        if len(self.problems) >= MAX_PROBLEMS:
            raise ConstitutionError(self.problems)
        where = path(self.steps)
        place = {"line": mark.line + 1, "column": mark.column + 1}
        self.problems.append(Problem(file=self.file, **place, where=where, what=what, hint=hint))

    def stopped(self, mark: Any, what: str, hint: str = "") -> ConstitutionError:
        """The error that ends the reading, with what was found before it."""
        problem = Problem(
            file=self.file, line=mark.line + 1, column=mark.column + 1, what=what, hint=hint
        )
        return ConstitutionError([*self.problems, problem])


@dataclass(frozen=True, slots=True)
class _Mark:
    line: int
    column: int


_TOO_MANY = (f"more than {MAX_NODES:,} values", "split the file with 'extends'")


def _is_bare(event: Any) -> bool:
    return event.value == "" and bool(event.implicit[0])


def _resolved(text: str) -> Any:
    """A plain scalar's value by YAML 1.2's core schema. Raises ValueError for a bad number.

    A float without a fraction is the integer, as in JSON's data model: `16.0` may stand for 16.
    """
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if not (text[0].isdecimal() or text[0] in "+-.") or not (number := _NUMBER.fullmatch(text)):
        return text
    if len(text) > MAX_NUMBER:
        raise ValueError(f"a number of more than {MAX_NUMBER} digits")
    match number.lastgroup:
        case "decimal":
            return int(text)
        case "octal" | "hexadecimal":
            return int(text, 0)
        case "endless":
            raise ValueError("not a finite number")
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return int(value) if value.is_integer() and abs(value) < MAX_INTEGRAL else value


def kind_of(value: object) -> str:
    """What a value of a file is called in a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"'{str(value).lower()}'"
    kinds = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), "something else")


def _syntax(error: yaml.YAMLError) -> tuple[Any, str, str]:
    """Where and what a parser's error is, and what mostly lies behind it."""
    mark = getattr(error, "problem_mark", None) or _Mark(0, 0)
    said = getattr(error, "problem", None) or "the parser gave up"
    if begun := getattr(error, "context_mark", None):
        context = getattr(error, "context", "")
        said = f"{said} {context} that starts at {begun.line + 1}:{begun.column + 1}"
    hint = ""
    if "cannot start any token" in said:
        hint = "indent with spaces, not tabs; quote a text that starts with a sign"
    elif "mapping values are not allowed" in said:
        hint = "quote a text that has a colon followed by a space"
    elif "invalid Unicode character escape" in said:
        hint = "write the character itself or its one \\U escape, not the halves of a pair"
    return mark, f"not YAML: {said}", hint
