"""The Redis that settings name, looked at by a command, which tells of it itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from guardrails.guard.stores import SharedStore

__all__ = ["look_at"]


async def look_at(stores: Sequence[SharedStore]) -> None:
    """Use each once, and let go of it. What is away is not logged beside what the command says."""
    logger, quiet = logging.getLogger("guardrails"), logging.NullHandler()
    logger.addHandler(quiet)  # without any, the interpreter prints warnings itself
    try:
        await asyncio.gather(*(store.probe() for store in stores))
    finally:
        logger.removeHandler(quiet)
        for store in stores:
            await store.aclose()
