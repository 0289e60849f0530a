"""What is judged: an exchange is a sequence of parts. Also who is asking (`Context`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

__all__ = ["Context", "Kind", "Part", "Path", "Role", "context", "current_context"]

Role = Literal["system", "user", "assistant", "tool"]
Kind = Literal["text", "thinking", "tool_call", "tool_result", "document", "image", "opaque"]
Path = tuple[str | int, ...]
"""Keys and indexes that lead from a value to one string inside it; `()` is the value itself."""

READABLE: frozenset[Kind] = frozenset({"text", "thinking", "tool_call", "tool_result", "document"})
"""Kinds whose text critics can read; a part of another kind is `undecided`, by name."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who is asking: taken from the application's own authentication, never from judged text.

    `attributes` decide which principles apply (`applies:` in the constitution).
    """

    tenant: str = "default"
    session: str | None = None
    subject: str | None = None
    language: str | None = None
    attributes: Mapping[str, str | Sequence[str]] = field(
        default_factory=lambda: MappingProxyType({})
    )


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
