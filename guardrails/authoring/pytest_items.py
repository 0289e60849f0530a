"""What pytest collects of a constitution file: the file, and an item for each of its tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardrails.authoring.cases import Bench, CaseResult
from guardrails.constitution.load import load_constitution
from guardrails.constitution.model import CaseTest
from guardrails.critic.registry import CriticRegistry
from guardrails.display.visible import visible
from guardrails.errors import GuardrailsError
from guardrails.settings import load_settings

__all__ = ["CaseFailed", "ConstitutionFile", "ConstitutionTest"]


class CaseFailed(Exception):
    """A test of a constitution did not come out as it says."""

    def __init__(self, result: CaseResult) -> None:
        self.result = result
        super().__init__(_told(result))


class ConstitutionFile(pytest.File):
    """A constitution; one that does not load is an error of collection with all that is wrong."""

    def collect(self) -> Iterator[ConstitutionTest]:
        try:
            constitution = load_constitution(
                self.path, catalogue=CriticRegistry(), folder=load_settings().constitutions
            )
        except GuardrailsError as error:
            raise self.CollectError(visible(str(error))) from None
        bench = Bench(constitution)
        for case in constitution.tests:
            name = visible(case.name).replace("\n", " ")
            yield ConstitutionTest.from_parent(self, name=name, case=case, bench=bench)


class ConstitutionTest(pytest.Item):
    """One test of a constitution. Not judged is skipped, unless `--constitution-strict` is said."""

    def __init__(self, *, case: CaseTest, bench: Bench, **rest: Any) -> None:
        super().__init__(**rest)
        self.case, self.bench = case, bench

    def runtest(self) -> None:
        result = asyncio.run(self.bench.run(self.case))
        if result.status == "failed":
            raise CaseFailed(result)
        if result.status == "not_judged":
            if self.config.getoption("--constitution-strict"):
                raise CaseFailed(result)
            reason = f"not judged: {visible(result.message)}"
            raise pytest.skip.Exception(reason, _use_item_location=True)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CaseFailed | GuardrailsError):
            return visible(str(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        line = self.case.place.rpartition(":")[2]
        return self.path, int(line) - 1 if line.isdecimal() else None, self.name


def _told(result: CaseResult) -> str:
    kind = "not judged: " if result.status == "not_judged" else ""
    return f"{result.place}: {result.name}: {kind}{result.message}"
