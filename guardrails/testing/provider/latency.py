"""How long the provider takes: to begin, and for each token."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Latency"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """`first_ms` pass before the first token, `per_token_ms` with each.

    A whole reply takes all of it at once. A stream has up to `chunk_tokens` tokens in an event,
    and each event takes its time, so that the first comes long before the last.
    """

    first_ms: float = 0.0
    per_token_ms: float = 0.0
    chunk_tokens: int = 4

    def __post_init__(self) -> None:
        if min(self.first_ms, self.per_token_ms) < 0 or self.chunk_tokens < 1:
            raise ValueError("latencies are 0 or more, chunk_tokens 1 or more")

    def before_s(self) -> float:
        return self.first_ms / 1000

    def writing_s(self, tokens: int) -> float:
        return self.per_token_ms * tokens / 1000
