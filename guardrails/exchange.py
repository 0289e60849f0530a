"""What is judged: an exchange is a sequence of parts. Also who is asking (`Context`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Literal

__all__ = [
    "ATTACHED",
    "UNREADABLE",
    "UNSAID",
    "Attachment",
    "Call",
    "Context",
    "Kind",
    "Part",
    "Path",
    "Role",
    "attached",
    "context",
    "current_context",
]

Role = Literal["system", "user", "assistant", "tool"]
Kind = Literal["text", "thinking", "tool_call", "tool_result", "document", "image", "opaque"]
Path = tuple[str | int, ...]
"""Keys and indexes that lead from a value to one string inside it; `()` is the value itself."""

READABLE: frozenset[Kind] = frozenset({"text", "thinking", "tool_call", "tool_result", "document"})
"""Kinds whose text critics can read; a part of another kind is `undecided`, by name."""

Attachment = Literal["image", "audio", "file"]
ATTACHED: Mapping[str, Attachment] = MappingProxyType(
    {
        **dict.fromkeys(("image", "image_url", "input_image"), "image"),
        **dict.fromkeys(("image_generation_call", "computer_screenshot"), "image"),
        **dict.fromkeys(("input_audio", "audio"), "audio"),
        **dict.fromkeys(("document", "file", "input_file"), "file"),
        **dict.fromkeys(("container_upload", "code_execution_output"), "file"),
    }
)
"""What nobody can read, by the names that the wire formats give it. Anything else is not known to
be an attachment, and may well be text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of an exchange.

    A *target* is judged; *context* (`target=False`) only helps to judge it. `path` says where in
    the application's own value the text stands, so that a changed text can be put back.
    `name` is a tool's or a document's name.
    """

    text: str = field(repr=False)
    role: Role = "user"
    kind: Kind = "text"
    target: bool = True
    name: str | None = None
    path: Path = field(default=(), repr=False)  # keys may be text of the user's

    @property
    def readable(self) -> bool:
        return self.kind in READABLE

    @property
    def attachment(self) -> Attachment | None:
        """Which kind of attachment it is, if it is known to be one."""
        if self.kind == "image":
            return "image"
        return ATTACHED.get(self.name or "") if self.kind == "opaque" else None

    def as_context(self) -> Part:
        """The same, only to help judging."""
        if not self.target:
            return self
        return Part(
            text=self.text,
            role=self.role,
            kind=self.kind,
            target=False,
            name=self.name,
            path=self.path,
        )


def attached(kind: Attachment) -> Part:
    """A part that stands for an attachment, to try what follows from one."""
    if kind == "image":
        return Part(text="", kind="image", name="image")
    return Part(text="", kind="opaque", name="input_audio" if kind == "audio" else "file")


class _Instead(Enum):
    UNREADABLE = "unreadable"
    UNSAID = "unsaid"


UNREADABLE = _Instead.UNREADABLE
"""In the place of arguments that nobody can be sure to read as whoever runs the tool does."""

UNSAID = _Instead.UNSAID
"""In the place of arguments that are told of by another call, with the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call in an exchange, whole, as whoever runs it gets it.

    `name` is None where nothing says which tool it is. `arguments` are a mapping, JSON in a string,
    or whatever the application's own value holds. `part` is the first of the parts that hold its
    texts, None if it has none. `after` is what tools gave in the same reply that is not among the
    exchange's parts any more.
    """

    name: str | None = field(repr=False)  # a model may write anything there
    arguments: object = field(repr=False)
    part: int | None = None
    after: tuple[Part, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who is asking: taken from the application's own authentication, never from judged text.

    `attributes` decide which principles apply (`applies:` in the constitution), letter case and
    blanks around them aside. Raises TypeError for values of other types.
    """

    tenant: str = "default"
    session: str | None = None
    subject: str | None = None
    language: str | None = None
    attributes: Mapping[str, str | Sequence[str]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def __post_init__(self) -> None:
        _check_text("tenant", self.tenant)
        for name in ("session", "subject", "language"):
            if (value := getattr(self, name)) is not None:
                _check_text(name, value)
        if not isinstance(self.attributes, Mapping):
            raise TypeError("attributes must map names to a text or several")
        for name, said in self.attributes.items():
            _check_text("the name of an attribute", name)
            several = isinstance(said, list | tuple | set | frozenset)
            for value in said if several else (said,):
                _check_text(f"attributes[{name!r}]", value)


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"Context: {name} must be a str, not a {type(value).__name__}")


_current: ContextVar[Context | None] = ContextVar("guardrails_context", default=None)


def current_context() -> Context:
    """The context set by the innermost `with context(…)`, else the default one."""
    return _current.get() or Context()


@contextmanager
def context(value: Context) -> Iterator[Context]:
    """Set who is asking for every check made inside the block (per task, as contextvars are)."""
    token = _current.set(value)
    try:
        yield value
    finally:
        _current.reset(token)
