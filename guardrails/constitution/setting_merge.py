"""How the settings of a file (`budget`, `judge`, `stream`, …) meet what its parents say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from guardrails.constitution.report import Report
from guardrails.constitution.routing import routing_of
from guardrails.constitution.rule import USE_RELAX

__all__ = ["inherited_settings", "relaxed_setting", "tightened_setting"]

Settings = Mapping[str, Mapping[str, Any]]
"""What some file says, by section and key."""

_ROLES = ("small", "medium", "large")


def inherited_settings(
    parents: Sequence[Settings], conflict: Callable[[str, int, int], None]
) -> dict[str, dict[str, Any]]:
    """What parents say, together: the stricter where one is stricter, else they must agree.

    `conflict` is told what two of them, by their index, hold with different content.
    """
    found: dict[str, dict[str, Any]] = {}
    for index, parent in enumerate(parents):
        for section, values in parent.items():
            mine = found.setdefault(section, {})
            for key, value in values.items():
                if mine.setdefault(key, value) == value:
                    continue
                if section in ("budget", "cache"):
                    mine[key] = min(mine[key], value)
                elif section == "stream":
                    mine[key] = "whole"
                else:
                    other = next(n for n, p in enumerate(parents) if key in p.get(section, {}))
                    conflict(f"'{section}.{key}'", other, index)
    return found


def tightened_setting(
    section: str, inherited: Mapping[str, Any], said: Mapping[str, Any], report: Report
) -> dict[str, Any]:
    """A section with the file's own word, which may only be stricter."""
    for key, value in said.items():
        if key in inherited and _is_milder(section, key, value, inherited[key]):
            what = f"changes the inherited {_shown(inherited[key])}"
            report.add((section, key), what, USE_RELAX)
    return {**inherited, **said}


def relaxed_setting(
    section: str, inherited: Mapping[str, Any], changes: Mapping[str, Any], report: Report
) -> dict[str, Any]:
    """A section after a relaxation, whose place `report` tells."""
    for key, value in changes.items():
        if key not in inherited:
            hint = f"set it under {section!r}"
            report.add(("set", key), "no parent says anything about this", hint, at_key=True)
        elif inherited[key] == value:
            report.add(("set", key), "the constitution says so already", "drop it")
    return {**inherited, **changes}


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "mapping"
    return ", ".join(value) if isinstance(value, list) else f"{value}"


def _is_milder(section: str, key: str, value: Any, inherited: Any) -> bool:
    match section, key:
        case "budget", _:
            return bool(value > inherited)
        case "stream", _:
            return bool(value != inherited and inherited == "whole")
        case "cache", _:
            return False
        case "judge", "cascade":
            ends = [(_ROLES.index(value[n]), _ROLES.index(inherited[n])) for n in (0, -1)]
            return any(new < old for new, old in ends)
        case "judge", "routing":
            return routing_of(value) != routing_of(inherited)
    return bool(value != inherited)
