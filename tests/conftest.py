"""How properties are tried: the same examples at each run, and never against the clock.

`make proof` looks for new ones: HYPOTHESIS_PROFILE=proof.
"""

from __future__ import annotations

import os

from hypothesis import settings

# `make test` is to end in minutes; `make proof` looks longer, and elsewhere each time.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("proof", deadline=None, print_blob=True, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
