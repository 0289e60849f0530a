"""The constitutions that the loader's tests draw are of use here, too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1] / "constitution"))
