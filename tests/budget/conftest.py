from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_samples import Server, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as running:
        yield running
