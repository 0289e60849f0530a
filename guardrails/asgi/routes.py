"""Which paths are guarded, and in which format their bodies are.

A path is guarded unless it is exempt. What decides in favour of guarding is read generously (a
slash at the end, more slashes than one), what decides against it exactly, for a framework may take
`/chat/` for `/chat`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from guardrails.errors import SettingsError
from guardrails.wire.formats import BodyFormat, Named, format_of

__all__ = ["Routes", "ambiguity", "path_of"]

_ENCODED = re.compile(rb"%(?:2f|5c|00|2e)", re.IGNORECASE)
_DOTS = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")
_SLASHES = re.compile("/{2,}")


def path_of(scope: Mapping[str, Any]) -> str:
    """The path as the application routes it: decoded, below where it is mounted.

    Source: ASGI 3, HTTP scope: `path` includes `root_path`.
    """
    path, root = str(scope.get("path") or "/"), str(scope.get("root_path") or "")
    if root and (path == root or path.startswith(root.rstrip("/") + "/")):
        return path[len(root.rstrip("/")) :] or "/"
    return path


def ambiguity(scope: Mapping[str, Any]) -> str | None:
    """Why another reader might take the path for another one; None if none would."""
    path, raw = str(scope.get("path") or "/"), scope.get("raw_path")
    root = str(scope.get("root_path") or "").rstrip("/")
    if not path.startswith("/"):
        return "the path does not start with a slash"  # `GET http://host/path` on some servers
    if root and root in path and path != root and not path.startswith(f"{root}/"):
        return "the path holds the one it is mounted at in another place"  # cut out by Litestar
    if isinstance(raw, bytes) and _ENCODED.search(raw.partition(b"?")[0]):
        return "the path has an encoded slash, backslash, dot or NUL"
    if "\\" in path or "\0" in path:
        return "the path has a backslash or NUL"
    if _DOTS.search(path):
        return "the path has a segment of dots"
    return None


@dataclass(frozen=True, slots=True)
class _Pattern:
    """An exact path, or one that ends in `/*` and stands for all below it."""

    path: str
    below: bool

    @classmethod
    def of(cls, said: str) -> _Pattern:
        if not isinstance(said, str) or not said.startswith("/"):
            raise SettingsError(f"the route {said!r} must be a path that starts with '/'")
        path = said.removesuffix("/*")
        if "*" in path:
            raise SettingsError(
                f"the route {said!r}: '*' may stand only at the end, as in '/api/*'"
            )
        return cls(path, said.endswith("/*"))

    def covers(self, path: str) -> bool:
        return path.startswith(self.path + "/") if self.below else path == self.path


class Routes:
    """Raises SettingsError for what could not work."""

    def __init__(
        self,
        routes: Mapping[str, Named],
        exempt: Iterable[str],
        others: Literal["guard", "pass"],
    ) -> None:
        if isinstance(exempt, str):
            raise SettingsError("exempt= is a list of paths, not one text")
        if others not in ("guard", "pass"):
            raise SettingsError(f"others={others!r}; expected 'guard' or 'pass'")
        self._formats = [(_Pattern.of(path), format_of(said)) for path, said in routes.items()]
        self._formats.sort(key=lambda route: (route[0].below, -len(route[0].path)))
        self._exempt = [_Pattern.of(path) for path in exempt]
        self._others = None if others == "pass" else format_of("auto")

    def format(self, path: str) -> BodyFormat | None:
        """The format of a path's bodies; None if it is not guarded."""
        if any(pattern.covers(path) for pattern in self._exempt):
            return None
        loosely = _SLASHES.sub("/", path)
        for pattern, format in self._formats:
            if pattern.covers(loosely) or pattern.covers(loosely.rstrip("/")):
                return format
        return self._others
