"""How properties are tried, the same examples at each run and never against the clock, and what
the thousands of tests need not pay for one by one.

`make proof` looks for new examples: HYPOTHESIS_PROFILE=proof.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator

import pytest
from hypothesis import settings

# `make test` is to end in minutes; `make proof` looks longer, and elsewhere each time.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("proof", deadline=None, print_blob=True, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One more than there are cores, as tests wait now and then, for a time-out above all."""
    return (yield) + ("PYTEST_XDIST_AUTO_NUM_WORKERS" not in os.environ)


def pytest_collection_finish(session: pytest.Session) -> None:
    # What was imported and collected stays: the search for garbage need not walk it each time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    # Clients are made by the thousand, and each would read the certificates of all authorities. No
    # test but those that install packages meets one, so they are looked up where there are none.
    if not any(map(_installs, session.items)):
        os.environ |= {"SSL_CERT_FILE": "", "SSL_CERT_DIR": os.path.dirname(__file__)}


def _installs(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(mark) for mark in ("proof", "node"))
