"""The project's own scripts, which no package holds, can be imported in these tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
sys.path.insert(1, str(Path(__file__).parents[2]))
