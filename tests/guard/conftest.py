"""A guard that needs no model, with its records."""

from __future__ import annotations

from pathlib import Path

import pytest
from guard_samples import Records, guard_in

from guardrails.guard import Guard


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def guard(tmp_path: Path, records: Records) -> Guard:
    return guard_in(tmp_path, trail=records)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Guard, Records]:
    """For properties: one guard for many examples."""
    records = Records()
    return guard_in(tmp_path_factory.mktemp("house"), trail=records), records
