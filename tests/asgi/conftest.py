"""A guard that records in memory, and a script for the application behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
from asgi_house import Records, Script, load_house

from guardrails.guard import Guard


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def guard(tmp_path: Path, records: Records) -> Guard:
    return load_house(tmp_path, records)


@pytest.fixture
def script() -> Script:
    return Script()
