"""Whether a question's prefix is worth keeping with its provider: by what that costs, and by how
likely it is to be asked again before it is forgotten. For providers that want to be told so.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from guardrails.llm.prices import cache_pays, smallest_kept
from guardrails.llm.protocol import Question, Tokens
from guardrails.settings import Price

__all__ = ["Asking", "Prefixes"]

LIFE_S = 290.0
"""A prefix is kept for five minutes from its last use (Anthropic, "Prompt caching"), as long as it
takes to get there."""
WEIGHT = 0.25
"""Of the last gap between two questions, in how likely the next is to be short. At the prices of
today one short gap is enough to begin with, and a few long ones to end."""
BYTES_PER_TOKEN = 3
"""Fewer than any tokeniser has for English: a prefix that is too short is not kept, and costs
nothing extra."""
MOST = 1_000  # prefixes that are told apart


@dataclass(slots=True, kw_only=True)
class _Traffic:
    asked_at: float
    soon: float = 0.0
    """How likely it is that the next question comes while the prefix is kept."""
    kept_until: float = 0.0
    is_written: bool = False
    """Somebody is about to write it: until it is there, others would only write it again."""


class Asking:
    """One question under way, and what is said of it once it is answered."""

    __slots__ = ("question", "tokens")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.tokens: Tokens | None = None

    def answered(self, tokens: Tokens) -> None:
        self.tokens = tokens


class Prefixes:
    """What is known of the prefixes that a process asks with. Holds no text; works from any thread.

    What is asked for besides (the schema of an answer) is a part of what providers keep.
    """

    def __init__(
        self,
        prices: Mapping[str, Price] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prices, self._clock = prices or {}, clock
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, _Traffic] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Prefixes {len(self._known)}>"

    @contextmanager
    def asking(self, model: str, question: Question) -> Iterator[Asking]:
        """The question with `cache_prefix` decided; whoever asks it says what came of it."""
        size = len(question.prefix.encode("utf-8", "replace")) // BYTES_PER_TOKEN
        if size < smallest_kept(model):
            yield Asking(replace(question, cache_prefix=False))
            return
        name = _name(model, question)
        with self._lock:
            traffic = self._met(name)
            marked, writes = self._decided(traffic, model, size)
            traffic.is_written = traffic.is_written or writes
        asking = Asking(replace(question, cache_prefix=marked))
        try:
            yield asking
        finally:
            with self._lock:
                self._learn(traffic, asking.tokens, writes=writes)

    def _met(self, name: bytes) -> _Traffic:
        now = self._clock()
        traffic = self._known.get(name)
        if traffic is None:
            traffic = self._known[name] = _Traffic(asked_at=now)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        else:
            is_short = now - traffic.asked_at < LIFE_S
            traffic.soon += WEIGHT * (is_short - traffic.soon)
            traffic.asked_at = now
            self._known.move_to_end(name)
        return traffic

    def _decided(self, traffic: _Traffic, model: str, size: int) -> tuple[bool, bool]:
        """Whether to mark the prefix, and whether that is to write it."""
        if traffic.kept_until > self._clock():
            return True, False
        if traffic.is_written:
            return False, False
        reads = traffic.soon / (1 - traffic.soon) if traffic.soon < 1 else 1.0 / WEIGHT
        pays = cache_pays(model, size, reads, own=self._prices)
        return pays, pays

    def _learn(self, traffic: _Traffic, tokens: Tokens | None, *, writes: bool) -> None:
        if writes:
            traffic.is_written = False
        if tokens is not None and (tokens.cache_read or tokens.cache_write):
            traffic.kept_until = self._clock() + LIFE_S


def _name(model: str, question: Question) -> bytes:
    hashed = hashlib.sha256()
    schema = json.dumps(question.schema, sort_keys=True)
    for text in (model, question.cache_ttl, schema, question.prefix):
        data = text.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "big") + data)
    return hashed.digest()
