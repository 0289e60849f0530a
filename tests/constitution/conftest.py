from __future__ import annotations

from pathlib import Path

import pytest
from constitution_samples import Family


@pytest.fixture
def family(tmp_path: Path) -> Family:
    return Family(tmp_path)
