"""Judge many replies at once from a program, and count what became of them.

    python examples/bulk_check.py

For files there is a command: constitution check --jsonl FILE -c NAME.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from guardrails import Context, Guard

REPLIES = {
    "one": "The label gives a maximum of 1,200 mg a day for adults without a prescription.",
    "two": "Take 800 mg of ibuprofen every four hours until it stops.",
    "three": "Your results went to jane.doe@example.com, card 4111 1111 1111 1111.",
}


async def main() -> None:
    caller = Context(tenant="clinic", attributes={"audience": "patient"})
    async with Guard.load("medical", offline=True) as guard:
        checks = (guard.check_output(reply, context=caller) for reply in REPLIES.values())
        decisions = dict(zip(REPLIES, await asyncio.gather(*checks), strict=True))
    for name, decision in decisions.items():
        print(f"{name}: {decision.verdict}, {', '.join(decision.breaches) or 'nothing found'}")
        print(f"  {decision.text}")
    print(Counter(str(decision.verdict) for decision in decisions.values()))


if __name__ == "__main__":
    asyncio.run(main())
