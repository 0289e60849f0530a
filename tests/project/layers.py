"""Which modules there are, what each imports, and the line of the design that each stands on."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGES = ("guardrails", "critics", "constitutions")

LINES: tuple[tuple[str, ...], ...] = (
    ("errors",),  # above its neighbours of line 0: what they raise is of one tree
    ("mistakes", "arguments"),  # what is wrong in settings and options, for whoever reads some
    ("text", "settings", "telemetry", "loop"),
    ("verdict", "exchange"),
    ("constitution", "llm", "wire", "audit", "vault", "cache", "display"),
    ("critic", "prompts", "budget", "governance", "review"),
    ("critics", "testing"),
    ("pipeline",),
    ("guard",),
    ("decorator", "asgi", "clients", "authoring", "evaluation"),
    ("proxy", "experiment", "optimiser"),
    ("dashboard", "playground"),
    ("cli",),
)
"""The design's map: a subject imports only from lines above its own."""

FOR_CRITICS = frozenset(
    {
        *("errors", "text", "settings", "telemetry", "verdict", "exchange"),
        *("constitution", "critic", "llm", "prompts", "cache", "wire"),
    }
)
"""What a critic may import: the protocol, the types, and what a judge asks a model with."""

PURE = (
    "guardrails.verdict",
    "guardrails.pipeline.decide",
    "guardrails.pipeline.holdback",
    "guardrails.constitution.digest",
)
IMPURE = frozenset(
    {
        *("asyncio", "threading", "concurrent", "multiprocessing", "subprocess"),
        *("os", "pathlib", "io", "shutil", "tempfile", "socket", "sqlite3", "urllib"),
        *("time", "datetime", "random", "secrets", "uuid"),
        *("anthropic", "aiohttp", "httpx", "structlog"),
    }
)
"""What would make a module's answer depend on more than its input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One module that another imports, wherever in it that is written."""

    target: str
    line: int
    late: bool
    """Inside a function, or under TYPE_CHECKING: not done when the module is imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module of the project, unread."""

    name: str
    file: Path

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.file)

    @property
    def is_package(self) -> bool:
        return self.file.name == "__init__.py"


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the project's packages, in alphabetical order."""
    found = []
    for package in PACKAGES:
        for file in sorted((PROJECT / package).rglob("*.py")):
            parts = file.relative_to(PROJECT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name=name, file=file))
    return tuple(sorted(found, key=lambda module: module.name))


@cache
def imports(module: Module) -> tuple[Import, ...]:
    """Every import of the module: `from x import y` counts as `x.y` if that is a module."""
    return tuple(
        Import(target=target, line=getattr(node, "lineno", 1), late=late)
        for node, late in walk(module.tree, late=False)
        for target in dict.fromkeys(targets(node, module, names()))
    )


@cache
def brought(name: str) -> frozenset[str]:
    """The project's modules that are there once this one is imported, itself among them."""
    found, unread = {name}, [name]
    while unread:
        new = _needed(unread.pop()) - found
        found |= new
        unread += new
    return frozenset(found)


@cache
def _needed(name: str) -> frozenset[str]:
    """What the import of a module leads to at once: the packages it is in, and what it imports."""
    above = {name.rsplit(".", count)[0] for count in range(1, name.count(".") + 1)}
    return above | set(_asked(name))


@cache
def _asked(name: str) -> tuple[str, ...]:
    """The project's modules that one imports when it is imported itself, in order."""
    (module,) = (known for known in modules() if known.name == name)
    return tuple(i.target for i in imports(module) if not i.late and i.target in names())


def circles(
    name: str, asked: Callable[[str], Sequence[str]] = _asked
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where the import of a module would ask for one that is begun and not yet read to its end:
    the way there, and the module asked for. A package is begun before what is in it, which must
    not ask it for a name of its own."""
    read: set[str] = set()

    def begin(name: str, way: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
        if name in read or name in way:
            return
        for count in range(name.count("."), 0, -1):
            yield from begin(name.rsplit(".", count)[0], way)
        if name in read:  # by its package
            return
        way = (*way, name)
        for target in asked(name):
            if target in way:
                yield way, target
            yield from begin(target, way)
        read.add(name)

    yield from begin(name, ())


@cache
def names() -> frozenset[str]:
    return frozenset(module.name for module in modules())


def walk(node: ast.AST, *, late: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Every node below, and whether it is passed over when the module is imported."""
    for child in ast.iter_child_nodes(node):
        inner = late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            inner = True
        yield child, late
        yield from walk(child, late=inner)


def targets(node: ast.AST, module: Module, names: AbstractSet[str]) -> Iterator[str]:
    """What this node imports, if it is an import; `names` are the project's modules."""
    match node:
        case ast.Import(names=aliases):
            yield from (alias.name for alias in aliases)
        case ast.ImportFrom(module=origin, names=aliases, level=level):
            base = _absolute(module, origin or "", level)
            for alias in aliases:
                full = f"{base}.{alias.name}"
                yield full if full in names else base
        case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(n))]):
            yield n
        case ast.Call(func=ast.Name(id="import_module"), args=[ast.Constant(value=str(n))]):
            yield n
        case _:
            return


def _absolute(module: Module, origin: str, level: int) -> str:
    if not level:
        return origin
    parts = module.name.split(".")
    kept = parts[: len(parts) - level + module.is_package]
    return ".".join([*kept, origin] if origin else kept)


def subject(name: str) -> str:
    """The word of the design that a module belongs to: `critics` or the part after `guardrails`.

    The root package itself is "" and stands below all: it only hands on what others own.
    """
    package, _, rest = name.partition(".")
    return rest.partition(".")[0] if package == "guardrails" else package


def line_of(word: str) -> int | None:
    """The number of the line on which a subject stands, None if the design does not know it."""
    return next((number for number, words in enumerate(LINES) if word in words), None)
