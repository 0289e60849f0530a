"""The guard and its records, for every test of the decorator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from guarded_samples import CONSTITUTION, Records

from guardrails.guard import Guard


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def guard(tmp_path: Path, records: Records) -> Iterator[Guard]:
    file = tmp_path / "house.yaml"
    file.write_text(CONSTITUTION)
    return Guard.load(file, offline=True, trail=records)
