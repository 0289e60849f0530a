"""What providers' prompt caches would have read and written. Counts tokens, stores only digests."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from guardrails.testing.provider.tokens import count_tokens

__all__ = [
    "ExplicitCache",
    "ImplicitCache",
    "Segment",
    "Ttl",
    "Use",
    "minimum_tokens",
    "segment_of",
]

Ttl = Literal["5m", "1h"]

_SECONDS: dict[str, float] = {"5m": 300.0, "1h": 3600.0}
_LOOK_BACK = 20
"""Blocks before a breakpoint in which an older entry is looked for. Source: Anthropic, "Prompt
caching", as of 2026."""

_MINIMA: tuple[tuple[str, int], ...] = (
    ("claude-haiku-4-5", 4096),
    ("claude-opus-4-5", 4096),
    ("claude-opus-4-6", 4096),
    ("claude-sonnet-4-6", 2048),
    ("claude-3-5-haiku", 2048),
    ("claude-3-haiku", 2048),
    ("claude-", 1024),
)
"""Beginning of a model's id → the least that it caches, in tokens; the first that fits counts.

Source: Anthropic, "Prompt caching", cache limitations, as gateways repeated it by November 2026
(docs.orq.ai, prompt caching; for Sonnet 4.6 also anthropics/anthropic-sdk-python#1194, which
measured 2,048). Models that neither names are taken to begin at 1,024.
"""

_OPENAI_MINIMUM, _OPENAI_STEP, _OPENAI_SECONDS = 1024, 128, 600.0
"""Source: OpenAI, "Prompt caching": from 1,024 tokens on, in steps of 128, gone after five to ten
minutes without use."""


def minimum_tokens(model: str) -> int:
    """The shortest prefix, in tokens, that an Anthropic model caches."""
    return next((least for start, least in _MINIMA if model.startswith(start)), 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a prompt in its order. With `ttl`, the prefix up to its end is to be cached."""

    text: str
    tokens: int
    ttl: Ttl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How the tokens of one prompt were served. They add up to the prompt."""

    uncached: int
    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def written(self) -> int:
        return self.written_5m + self.written_1h

    @property
    def total(self) -> int:
        return self.uncached + self.read + self.written


class _Entries:
    """Digests with a time to live, the oldest of which make room."""

    def __init__(self, clock: Callable[[], float], keep: int) -> None:
        self._clock, self._keep = clock, keep
        self._until: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def touch(self, digest: bytes) -> bool:
        """Whether it is there; if so, it lives on from now."""
        seconds, until = self._until.get(digest, (0.0, 0.0))
        if until <= self._clock():
            return False
        self.put(digest, seconds)
        return True

    def put(self, digest: bytes, seconds: float) -> None:
        self._until[digest] = (seconds, self._clock() + seconds)
        self._until.move_to_end(digest)
        while len(self._until) > self._keep:
            self._until.popitem(last=False)


class ExplicitCache:
    """Anthropic's: an entry for each exact prefix that ends with a `cache_control`."""

    def __init__(self, clock: Callable[[], float], *, keep: int = 10_000) -> None:
        self._entries = _Entries(clock, keep)

    def use(self, model: str, prompt: Sequence[Segment]) -> Use:
        """Serve a prompt: read the longest known prefix, write what is marked behind it."""
        digests, sums = _prefixes(model, prompt)
        total = sums[-1] if sums else 0
        least = minimum_tokens(model)
        marks = [at for at, segment in enumerate(prompt) if segment.ttl and sums[at] >= least]
        hit = self._hit(marks, digests)
        read = sums[hit] if hit is not None else 0
        written, done = {"5m": 0, "1h": 0}, read
        for at in marks:
            ttl = prompt[at].ttl or "5m"
            self._entries.put(digests[at], _SECONDS[ttl])
            if sums[at] > done:
                written[ttl] += sums[at] - done
                done = sums[at]
        return Use(
            uncached=total - done,
            read=read,
            written_5m=written["5m"],
            written_1h=written["1h"],
        )

    def _hit(self, marks: Sequence[int], digests: Sequence[bytes]) -> int | None:
        for mark in reversed(marks):
            for at in range(mark, max(mark - _LOOK_BACK, 0) - 1, -1):
                if self._entries.touch(digests[at]):
                    return at
        return None


class ImplicitCache:
    """OpenAI's: every long prompt is remembered, in steps."""

    def __init__(self, clock: Callable[[], float], *, keep: int = 50_000) -> None:
        self._entries = _Entries(clock, keep)

    def use(self, model: str, prompt: Sequence[Segment]) -> Use:
        """Serve a prompt: read its longest known prefix, remember all of it."""
        total = sum(segment.tokens for segment in prompt)
        data = "\n".join(segment.text for segment in prompt).encode("utf-8", "surrogatepass")
        running, read = hashlib.sha256(model.encode()), 0
        step = _OPENAI_STEP * 4
        unbroken = True
        for tokens in range(_OPENAI_STEP, total + 1, _OPENAI_STEP):
            end = tokens * 4
            if end > len(data):
                break
            running.update(data[end - step : end])
            if tokens < _OPENAI_MINIMUM:
                continue
            digest = running.digest()[:16]
            unbroken = unbroken and self._entries.touch(digest)
            read = tokens if unbroken else read
            self._entries.put(digest, _OPENAI_SECONDS)
        return Use(uncached=total - read, read=read)


def segment_of(text: str, ttl: Ttl | None = None) -> Segment:
    return Segment(text=text, tokens=count_tokens(text), ttl=ttl)


def _prefixes(model: str, prompt: Sequence[Segment]) -> tuple[list[bytes], list[int]]:
    """The digest and the tokens of each prefix."""
    running, total = hashlib.sha256(model.encode()), 0
    digests, sums = list[bytes](), list[int]()
    for segment in prompt:
        data = segment.text.encode("utf-8", "surrogatepass")
        running.update(len(data).to_bytes(8, "big") + data)
        total += segment.tokens
        digests.append(running.digest())
        sums.append(total)
    return digests, sums
