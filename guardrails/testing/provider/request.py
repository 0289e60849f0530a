"""A request as the provider received it: what a script chooses by and a test asserts on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

__all__ = ["Endpoint", "ProviderRequest", "Requests", "text_of", "tool_name"]

Endpoint = Literal["messages", "count_tokens", "chat", "responses", "models", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRequest:
    """One request. `headers` have lower-case names. `status` is set where the provider itself
    turned it away, before the script was asked."""

    id: str
    endpoint: Endpoint
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)
    size: int = 0
    status: int | None = None

    @property
    def streaming(self) -> bool:
        return self.body.get("stream") is True

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def key(self) -> str | None:
        """The key it came with, whichever header held it."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
        return self.headers.get("x-api-key") or self.headers.get("api-key")

    @property
    def system(self) -> str:
        """What the application says: `system`, `instructions`, or the messages of that role."""
        texts = [text_of(self.body.get("system")), text_of(self.body.get("instructions"))]
        texts += [text_of(m.get("content")) for m in self._turns if m.get("role") in _SYSTEM]
        return "\n".join(text for text in texts if text)

    @property
    def text(self) -> str:
        """The text of the last turn of the user."""
        if isinstance(said := self.body.get("input"), str):
            return said
        turns = [turn for turn in self._turns if turn.get("role") == "user"]
        return text_of(turns[-1].get("content")) if turns else ""

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON schema that the answer is to fit, if the request names one."""
        for names in _SCHEMAS:
            value: Any = self.body
            for name in names:
                value = value.get(name) if isinstance(value, Mapping) else None
            if isinstance(value, Mapping):
                return value
        return None

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools that the model is offered."""
        return tuple(tool_name(tool) for tool in _objects(self.body.get("tools")))

    @property
    def _turns(self) -> list[Mapping[str, Any]]:
        return _objects(self.body.get("messages")) or _objects(self.body.get("input"))


_SYSTEM = ("system", "developer")
_SCHEMAS = (
    ("output_config", "format", "schema"),
    ("response_format", "json_schema", "schema"),
    ("text", "format", "schema"),
)


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def tool_name(tool: Mapping[str, Any]) -> str:
    function = tool.get("function")
    return str((function if isinstance(function, Mapping) else tool).get("name", ""))


def text_of(content: object) -> str:
    """The texts of a turn's content, whichever provider's."""
    if isinstance(content, str):
        return content
    return "\n".join(
        part["text"] for part in _objects(content) if isinstance(part.get("text"), str)
    )


class Requests(Sequence[ProviderRequest]):
    """The latest requests, oldest first. `total` counts those forgotten, too."""

    def __init__(self, *, keep: int, keep_bytes: int) -> None:
        self._kept = deque[ProviderRequest]()
        self._keep, self._keep_bytes, self._bytes = keep, keep_bytes, 0
        self.total = 0

    def append(self, request: ProviderRequest) -> None:
        self._kept.append(request)
        self._bytes += request.size
        self.total += 1
        while len(self._kept) > self._keep or (
            self._bytes > self._keep_bytes and len(self._kept) > 1
        ):
            self._bytes -= self._kept.popleft().size

    @overload
    def __getitem__(self, index: int) -> ProviderRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[ProviderRequest]: ...
    def __getitem__(self, index: int | slice) -> ProviderRequest | list[ProviderRequest]:
        return list(self._kept)[index]

    def __iter__(self) -> Iterator[ProviderRequest]:
        return iter(list(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"<Requests {self.total}, {len(self)} kept>"
