"""The arrows of the design hold, and every module can be imported on its own."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator

import pytest
from layers import (
    FOR_CRITICS,
    IMPURE,
    PACKAGES,
    PROJECT,
    PURE,
    Module,
    brought,
    circles,
    imports,
    line_of,
    modules,
    names,
    subject,
    targets,
    walk,
)

LATE = ("anthropic", "presidio_analyzer", "spacy", "aiohttp")


def own(module: Module) -> Iterator[tuple[str, str]]:
    """The project's modules that this one imports, each with the place where it does."""
    for found in imports(module):
        if found.target.partition(".")[0] in PACKAGES:
            yield found.target, f"{module.file.relative_to(PROJECT)}:{found.line}"


def critic_of(name: str) -> str:
    """Each critic is a subject of its own: `critics.pii` for `critics.pii.words`."""
    return ".".join(name.split(".")[:2])


def test_every_module_stands_on_a_line_of_the_design() -> None:
    words = {subject(module.name) for module in modules()} - {"", "constitutions"}
    unknown = {word for word in words if line_of(word) is None}
    assert not unknown, "the design names no line for these"


def test_a_module_imports_only_from_lines_above_its_own() -> None:
    wrong = []
    for module in modules():
        here = line_of(subject(module.name))
        for target, place in own(module):
            there = line_of(subject(target))
            same = subject(target) == subject(module.name)
            if here is not None and there is not None and there >= here and not same:
                wrong.append(f"{place}: {module.name} imports {target}")
    assert not wrong


def test_the_package_root_is_for_users_only() -> None:
    """Inside the project a name comes from the module that owns it."""
    roots = {"guardrails", "critics"}
    assert not [place for module in modules() for target, place in own(module) if target in roots]


def test_guardrails_never_imports_a_critic() -> None:
    wrong = [
        place
        for module in modules()
        if module.name.startswith("guardrails")
        for target, place in own(module)
        if not target.startswith("guardrails")
    ]
    assert not wrong


def test_critics_lean_on_the_protocol_and_types_and_not_on_each_other() -> None:
    wrong = []
    for module in modules():
        if not module.name.startswith("critics."):
            continue
        for target, place in own(module):
            other = target.startswith("critics") and critic_of(target) != critic_of(module.name)
            beyond = target.startswith("guardrails") and subject(target) not in FOR_CRITICS
            if other or beyond:
                wrong.append(f"{place}: {target}")
    assert not wrong


def test_constitutions_hold_no_code_that_leans_on_any() -> None:
    held = [module for module in modules() if module.name.startswith("constitutions")]
    assert not [place for module in held for _, place in own(module)]


def test_pure_modules_reach_for_nothing_but_their_input() -> None:
    wrong = [
        f"{module.name}:{found.line}: {found.target}"
        for module in modules()
        if module.name in PURE
        for found in imports(module)
        if found.target.partition(".")[0] in IMPURE
    ]
    assert not wrong


def in_isort_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as ruff sorts `__all__`."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1, name) if name[:1].isupper() else (2, name)


def exported(module: Module) -> list[str] | None:
    """What `__all__` says, None if there is none. Raises ValueError if it is no plain list."""
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            value = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            if not isinstance(value, list):
                raise ValueError(f"{module.name}: __all__ is not a list")
            return value
    return None


def defines(module: Module) -> bool:
    """Whether the module holds more than its docstring."""
    return any(not isinstance(node, ast.Expr) for node in module.tree.body)


def test_public_modules_list_what_they_export_in_order() -> None:
    wrong = []
    for module in modules():
        if not defines(module) or any(part.startswith("_") for part in module.name.split(".")):
            continue
        names = exported(module)
        if names is None or names != sorted(set(names), key=in_isort_order):
            wrong.append(module.name)
    assert not wrong


EXPORTS = """
import importlib, json, sys
told = json.load(sys.stdin)
lacking = {name: [n for n in exports if not hasattr(importlib.import_module(name), n)]
           for name, exports in told.items()}
print(json.dumps({name: names for name, names in lacking.items() if names}))
"""

ALONE = """
import gc, importlib, json, os, sys, traceback

def project():
    return {name for name in sys.modules if name.partition(".")[0] in PACKAGES}

def attempt(name):
    try:
        importlib.import_module(name)
        beyond = project() - set(BROUGHT[name])
        if beyond:
            return {name: f"brings what its imports, as they are read here, do not: {beyond}"}
        return children(name)
    except BaseException:
        return {name: traceback.format_exc()}

def in_a_child(name):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        with open(writing, "w", encoding="utf-8") as told:
            told.write(json.dumps(attempt(name)))
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as told:
        troubles = told.read()
    _, status = os.waitpid(child, 0)
    return {name: f"ended with status {status}"} if status else json.loads(troubles)

def children(name):
    return {n: told for child in CHILDREN.get(name, ()) for n, told in in_a_child(child).items()}

PACKAGES, LIBRARIES, BROUGHT, CHILDREN = json.load(sys.stdin)
for library in LIBRARIES:
    importlib.import_module(library)
assert not project(), project()
gc.freeze()
print(json.dumps(children("")))
"""


def run(*arguments: str, told: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        input=told,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def libraries() -> list[str]:
    """What the project's modules import of others when they are imported themselves."""
    targets = {found.target for module in modules() for found in imports(module) if not found.late}
    return sorted(target for target in targets if target.partition(".")[0] not in PACKAGES)


def ancestor(name: str) -> str:
    """Of the modules that this one brings and that do not bring it, the one that brings most."""
    others = [other for other in brought(name) if name not in brought(other)]
    return max(others, key=lambda other: (len(brought(other)), other), default="")


def test_no_import_comes_back_to_a_module_that_is_not_read_yet() -> None:
    """So each can be the first that a program imports, and needs no other to be there."""
    wrong = {f"{' > '.join(way)} > {target}" for name in names() for way, target in circles(name)}
    assert not wrong


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"a": "b c", "b": "c", "c": ""}, 0),
        ({"a": "b", "b": "c", "c": "a"}, 1),
        ({"a": "p.x", "p": "p.x", "p.x": "p.y", "p.y": ""}, 0),
        ({"a": "p.x", "p": "p.x", "p.x": "p"}, 1),
        ({"a": "p.x", "p": "b", "p.x": "", "b": "p.x"}, 0),
        ({"a": "b a", "b": ""}, 1),
    ],
)
def test_a_circle_is_seen(asked: dict[str, str], found: int) -> None:
    assert len(list(circles("a", lambda name: asked[name].split()))) == found


def test_every_module_has_what_it_exports() -> None:
    told = json.dumps({module.name: exported(module) or [] for module in modules()})
    troubles = json.loads(run("-c", EXPORTS, told=told))
    assert not troubles


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_every_module_imports_alone_and_brings_what_is_read_here() -> None:
    """Each in a process that has the libraries and, of the project, only what the module brings.

    It is the fork of one that has imported the module's ancestor and, with it, much of what the
    module imports; nothing that could hide a circle, for nothing in there imports the module.
    """
    children: dict[str, list[str]] = {}
    for name in names():
        children.setdefault(ancestor(name), []).append(name)
    all_brought = {name: sorted(brought(name)) for name in names()}
    told = json.dumps([PACKAGES, libraries(), all_brought, children])
    troubles = json.loads(run("-c", ALONE, told=told))
    assert not troubles, "\n".join(f"{name}: {told}" for name, told in troubles.items())


@pytest.mark.proof
@pytest.mark.parametrize("name", [module.name for module in modules()])
def test_every_module_imports_alone_in_a_fresh_interpreter(name: str) -> None:
    """Nothing is loaded before: no library that happens to bring what a module forgot to import."""
    run("-W", "error", "-c", f"import {name}")


def test_importing_guardrails_loads_no_vendor_and_no_large_library() -> None:
    loaded = run("-c", "import guardrails, sys; print(*sys.modules)").split()
    assert not [name for name in LATE if name in loaded]


def test_critics_load_their_large_libraries_when_they_are_used() -> None:
    """So that a constitution that names no personal data never pays for finding it."""
    document = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    points = document["project"]["entry-points"]["guardrails.critics"].values()
    names = ", ".join(point.partition(":")[0] for point in points)
    loaded = run("-c", f"import {names}, sys; print(*sys.modules)").split()
    assert not [name for name in LATE if name in loaded]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("import guardrails.guard", "guardrails.guard"),
        ("from guardrails.guard import Guard", "guardrails.guard"),
        ("from guardrails import guard", "guardrails.guard"),
        ("def f():\n    from guardrails.guard import Guard", "guardrails.guard"),
        ("if TYPE_CHECKING:\n    import guardrails.guard", "guardrails.guard"),
        ("from .guard import Guard", "guardrails.guard"),
        ("import_module('guardrails.guard')", "guardrails.guard"),
    ],
    ids=lambda value: re.sub(r"\s+", " ", value),
)
def test_an_import_is_seen_in_whatever_way_it_is_written(source: str, target: str) -> None:
    module = Module(name="guardrails.settings", file=PROJECT / "guardrails" / "settings.py")
    known = {"guardrails.guard"}
    seen = [
        found
        for node, _ in walk(ast.parse(source), late=False)
        for found in targets(node, module, known)
    ]
    assert seen == [target]


def test_no_two_files_of_tests_have_one_name() -> None:
    """pytest takes them for one module, once it collects both."""
    names = Counter(file.name for file in (PROJECT / "tests").rglob("*.py"))
    assert {name for name, count in names.items() if count > 1} <= {"conftest.py", "__init__.py"}
