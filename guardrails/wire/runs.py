"""Which texts of an exchange are read as one, though they come apart: the blocks of a message, and
messages of one role without another's in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.exchange import Kind, Part, Path

__all__ = ["Run", "runs"]

JOINED: frozenset[Kind] = frozenset({"text", "tool_result", "document"})
LISTS = frozenset({"content", "system", "instructions", "input", "output"})
"""What the providers call a list of content blocks. A value that is one has no name."""


Run = list[list[int]]
"""The numbers of parts, message by message."""


def runs(parts: Sequence[Part]) -> list[Run]:
    """The parts that a reader sees one right after the other, where there are two and more. Some of
    each run are to be judged; others may only help to judge."""
    found: list[Run] = []
    last: dict[Path, Run] = {}
    """The run that a list of blocks ended in last."""
    said: tuple[Part, Path, Run] | None = None
    """The message whose text was told last, unless somebody else has spoken since."""
    for number, part, blocks in _blocks(parts):
        if blocks is None:
            if said is not None and part.role != said[0].role:
                said = None
            continue
        run = last.get(blocks)
        if run is not None and _are_alike(parts[run[-1][-1]], part):
            run[-1].append(number)
        else:
            run = _after(said, part, blocks)
            if run is None:
                found.append(run := [])
            run.append([number])
            last[blocks] = run
        said = part, blocks, run
    return [run for run in found if _is_judged(run, parts)]


def _is_judged(run: Run, parts: Sequence[Part]) -> bool:
    if len(run) == len(run[0]) == 1:
        return False
    return any(parts[number].target for numbers in run for number in numbers)


def _blocks(parts: Sequence[Part]) -> Iterator[tuple[int, Part, Path | None]]:
    """Each part with the list of blocks that it stands in, None if it does in none."""
    is_named = False
    for number, part in enumerate(parts):
        path = part.path
        # A field that nobody knows comes with its name before it, from the same place.
        was_named, is_named = is_named, number + 1 < len(parts) and parts[number + 1].path == path
        is_block = path and part.kind in JOINED and not is_named and not was_named
        yield number, part, _list_of(path) if is_block else None


def _list_of(path: Path) -> Path | None:
    match path:
        case (*_, int(), "text") if len(path) == 2 or path[-3] in LISTS:
            return path[:-2]
        case (*_, "content", int()):
            return path[:-1]
        case (*_, "content"):
            return path
    return None


def _are_alike(one: Part, other: Part) -> bool:
    return one.role == other.role and one.kind == other.kind


def _after(said: tuple[Part, Path, Run] | None, part: Part, blocks: Path) -> Run | None:
    """The run of a message before, that a message goes on with."""
    if said is None or part.kind != "text" or not _are_alike(said[0], part):
        return None
    place = _messages(blocks)
    return said[2] if place is not None and place == _messages(said[1]) else None


def _messages(blocks: Path) -> Path | None:
    """The list of messages that a message's blocks stand in."""
    match blocks:
        case (*_, int(), "content"):
            return blocks[:-2]
    return None
