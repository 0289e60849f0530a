"""Which advice is asked for: codes, or what they begin with, as linters of programs have them."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

from guardrails.authoring.codes import ABOUT_IGNORES, CODES, Code, LintFinding
from guardrails.errors import SettingsError

__all__ = ["Chosen", "near_codes"]

MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Chosen:
    """Beginnings of codes. Of several that fit a code the longest holds, and of equal ones
    `ignore`. Without any `select` all are selected. It is about advice: errors are always told."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @classmethod
    def of(cls, select: Iterable[str], ignore: Iterable[str]) -> Self:
        """From what the options say, each some codes by commas. Raises SettingsError for those that
        no advice has."""
        told: list[str] = []
        chosen = cls(tuple(_read("--select", select, told)), tuple(_read("--ignore", ignore, told)))
        if told:
            raise SettingsError("\n".join(told))
        return chosen

    def has(self, finding: LintFinding) -> bool:
        if finding.level == "error":
            return True
        selected = _longest(finding.code, self.select or ("",))
        return selected > _longest(finding.code, self.ignore)


def _longest(code: str, beginnings: Iterable[str]) -> int:
    return max((len(start) for start in beginnings if code.startswith(start)), default=-1)


def _read(option: str, said: Iterable[str], told: list[str]) -> Iterator[str]:
    for some in said:
        codes = [code.strip().upper() for code in some.split(",")]
        for code in filter(None, codes) if any(codes) else [""]:
            known = [CODES[id] for id in CODES if code and id.startswith(code)]
            if not known:
                shown = reprlib.repr(code)
                told.append(f"{option}: no code begins with {shown}; {near_codes(code)}")
            elif option == "--ignore" and all(of.level == "error" for of in known):
                told.append(
                    f"{option}: {code} is an error, which is always told; {_else(known[0])}"
                )
            else:
                yield code


def _else(code: Code) -> str:
    """What there is to do about an error."""
    if code.id.startswith(ABOUT_IGNORES):
        return "mend what it finds"
    return f"mend what it finds, or say why it is right at its place: # lint: ignore {code.id} why"


def near_codes(code: str) -> str:
    """What may have been meant by a code that there is not."""
    beginnings = (code[:length].upper() for length in (3, 2) if len(code) > length)
    near = next((some for start in beginnings if (some := _beginning(start))), None)
    near = near or get_close_matches(code[:10].upper(), CODES, n=MOST_TOLD, cutoff=0.7)
    if near:
        return f"did you mean {' or '.join(sorted(near)[:MOST_TOLD])}?"
    return f"codes are {min(CODES)} to {max(CODES)}, or what they begin with: L1"


def _beginning(start: str) -> list[str]:
    return [id for id in CODES if id.startswith(start)]
