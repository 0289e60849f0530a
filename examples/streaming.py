"""A guarded generator: nothing of a reply is shown before it is judged.

python examples/streaming.py
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from guardrails import guarded

PIECES = ["The card on file is 41", "11 1111 11", "11 1111, valid", " until next year."]


@guarded("customer-service", offline=True)
async def answer(question: str) -> AsyncIterator[str]:
    """A model's pieces come cut anywhere, here in the middle of a card's number."""
    for piece in PIECES:
        yield piece


async def main() -> None:
    async for piece in answer("Which card do you have on file?"):
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    asyncio.run(main())
