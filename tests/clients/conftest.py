"""A guard that needs no model with its records, and every endpoint through every client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from wrapped_samples import FACES, Face, Records, Wrapped, close, constitution

from guardrails import wrap
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import FakeProvider


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def guard(tmp_path: Path, records: Records) -> Guard:
    file = tmp_path / "house.yaml"
    file.write_text(constitution())
    return Guard.load(file, offline=True, trail=records, settings=Settings(audit="memory"))


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    return FACES[request.param]


@pytest.fixture
async def wrapped(face: Face, guard: Guard) -> AsyncIterator[Wrapped]:
    """Makes a wrapped client before a provider; all are closed in the end."""
    made: list[Any] = []

    def make(provider: FakeProvider, **options: Any) -> Any:
        settings = options.pop("client", {})
        made.append(wrap(face.client(provider, **settings), options.pop("guard", guard), **options))
        return made[-1]

    yield make
    for client in made:
        await close(client)
