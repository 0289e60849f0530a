"""What a request's header fields must be, for whoever is behind to read them as they were meant."""

from __future__ import annotations

import re
from collections.abc import Callable

from guardrails.asgi.messages import Headers
from guardrails.proxy.answers import RefusedError

__all__ = ["check_coding", "check_forwarded", "check_json", "says_longer", "too_long"]

_JSON = re.compile(
    r"""application/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8"))?[ \t]*;?""", re.IGNORECASE
)
KEYS = frozenset({b"authorization", b"x-api-key"})


def check_coding(headers: Headers) -> None:
    """Raises RefusedError."""
    if headers.get("content-encoding") not in (None, "identity"):
        raise RefusedError(415, "encoding", "send the body without a content-encoding")


def check_json(headers: Headers) -> None:
    """Raises RefusedError for another type than that of the body, by which others might read it."""
    said = headers.all("content-type")
    if said and (len(said) > 1 or not _JSON.fullmatch(said[0])):
        raise RefusedError(415, "type", "send the body as application/json, in UTF-8")


def check_forwarded(headers: Headers, forwards: Callable[[bytes], bool]) -> None:
    """Raises RefusedError for a value that would arrive as another one."""
    for name, value in headers.items:
        if not value.isascii() and (name in KEYS or forwards(name)):
            raise RefusedError(400, "header", "a header field for the provider is not ASCII")


def says_longer(headers: Headers, most: int) -> bool:
    """Whether a body says that it is longer than this."""
    said = headers.get("content-length")
    return said is not None and said.isascii() and said.isdecimal() and int(said[:16]) > most


def too_long(most: int) -> RefusedError:
    return RefusedError(413, "body", f"the body is longer than {most:,} bytes")
