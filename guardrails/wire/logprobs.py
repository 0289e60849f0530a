"""Log-probabilities: what they say beside the text that they are of.

A provider tells a text again, token by token, with other tokens that might have stood there. Tokens
that add up to the text say nothing new. Whatever else they say is judged like any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from guardrails.wire import rebuild
from guardrails.wire.quiet import NO_CARD

__all__ = ["MOST_ALTERNATIVES", "Logprobs", "Unsaid", "unsaid"]

MOST_ALTERNATIVES = 20
"""Other tokens that the providers tell for each."""

DEEPEST = 20
LONGEST = 64
LONGEST_WORD = 24
LONGEST_FOREIGN = 12
_MARKS = r"[\s!-/:-@\[-`{-~]*+"
_TOKEN = re.compile(
    rf"(?!(?:\D*\d){{5}}){_MARKS}"
    rf"(?:[0-9A-Za-z\u0080-\U0010ffff][0-9A-Za-z_'\u0080-\U0010ffff]{{0,{LONGEST_WORD - 1}}}+)?+"
    rf"{_MARKS}"
)
"""What an alternative can be: a word or a piece of one, with marks around it, and too few digits
to be part of anybody's number."""

_ESCAPED = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_OTHER = frozenset({"token", "logprob", "bytes"})
_CHOSEN = _OTHER | {"top_logprobs"}


@dataclass(frozen=True, slots=True)
class Logprobs:
    """How to read log-probabilities: they are of the text in the field `of`; without one, they are
    those of a message, told under the names of its fields."""

    of: str | None = None

    def said(self, beside: Mapping[Any, object]) -> str | Mapping[str, str]:
        """The text that they are of, which is found in the fields beside them."""
        if self.of is not None:
            return _text(beside.get(self.of))
        message = _fields(beside.get("message")) or {}
        return {name: _text(message.get(name)) for name in ("content", "refusal")}


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What log-probabilities say that the text does not: the tokens, joined, if they are another
    text; what their bytes say, if that is another one; and alternatives that are more than a token.
    `is_like`: whether they have the providers' form; what has another one may hold anything."""

    tokens: str = ""
    raw: str = ""
    others: str = ""
    is_like: bool = True

    def __bool__(self) -> bool:
        return bool(self.tokens or self.raw or self.others or not self.is_like)

    @property
    def agrees(self) -> bool:
        """Whether the tokens are the text's."""
        return self.is_like and not (self.tokens or self.raw)


_NOTHING = Unsaid()


def unsaid(value: object, said: str | Mapping[str, str], most: int) -> Unsaid:
    """`said` is the text that they are of, or several by their fields' names; `most` is how many
    alternatives were asked for."""
    if isinstance(said, str):
        return _told(value, said, most)
    fields = _fields(value)
    if fields is None or not said.keys() >= fields.keys():
        return _unlike(value)
    told = [_told(tokens, said[name], most) for name, tokens in fields.items()]
    if not any(told):
        return _NOTHING
    return Unsaid(
        "".join(one.tokens for one in told),
        "".join(one.raw for one in told),
        "\n".join(one.others for one in told if one.others),
        is_like=all(one.is_like for one in told),
    )


def _told(tokens: object, said: str, most: int) -> Unsaid:
    if not tokens:
        return _NOTHING
    names: list[str] = []
    others: list[str] = []
    data = bytearray()
    agrees = True
    for token in tokens if isinstance(tokens, list | tuple) else (None,):
        fields = _fields(token)
        if fields is None or not _is_token(fields, _CHOSEN):
            return _unlike(tokens)
        name = fields["token"]
        encoded = name.encode("utf-8", "surrogatepass")
        raw = _raw(fields.get("bytes"), encoded)
        agrees = agrees and (raw is encoded or _are_same(name, raw))
        names.append(name)
        data += raw
        if alternatives := fields.get("top_logprobs"):
            found = _others(alternatives, name, most)
            if found is None:
                return _unlike(tokens)
            others += found
    if agrees and data == said.encode("utf-8", "surrogatepass"):
        return Unsaid(others="\n".join(others)) if others else _NOTHING
    joined, bare = "".join(names), data.decode("utf-8", "replace")
    return Unsaid(joined, "" if bare == joined else bare, "\n".join(others))


def _unlike(value: object) -> Unsaid:
    return Unsaid("".join(_found_in(value, "token")), "".join(_found_in(value, "bytes")), "", False)


def _others(alternatives: object, chosen: str, most: int) -> list[str] | None:
    """Those alternatives that are more than a token, all if they are more than were asked for; None
    for what has another form."""
    if not isinstance(alternatives, list | tuple):
        return None
    names: list[str] = []
    said: list[str] = []
    for alternative in alternatives:
        fields = _fields(alternative)
        if fields is None or not _is_token(fields, _OTHER):
            return None
        name = fields["token"]
        encoded = name.encode("utf-8", "surrogatepass")
        raw = _raw(fields.get("bytes"), encoded)
        if raw is not encoded and not _are_same(name, raw):
            said.append(raw.decode("utf-8", "replace"))
            said.append(name)
        elif name != chosen:
            names.append(name if raw is encoded else raw.decode("utf-8", "replace"))
    return said + (names if len(names) > most else [n for n in names if not _is_short(n)])


def _is_short(name: str) -> bool:
    if len(name) > LONGEST or (not name.isascii() and len(name.strip()) > LONGEST_FOREIGN):
        return False
    return _TOKEN.fullmatch(name) is not None


def _is_token(fields: Mapping[Any, object], known: frozenset[str]) -> bool:
    probability = fields.get("logprob")
    return (
        known.issuperset(fields)
        and type(fields.get("token")) is str
        and (
            probability is None
            or (
                (type(probability) is int or type(probability) is float)
                and abs(probability) < NO_CARD
            )
        )
        and _are_bytes(fields.get("bytes"))
    )


def _are_bytes(value: object) -> bool:
    return value is None or (
        isinstance(value, list | tuple) and all(type(b) is int and 0 <= b < 256 for b in value)
    )


def _raw(told: Sequence[int] | None, encoded: bytes) -> bytes:
    """What a token stands for: its bytes, if they are told; the very same ones if they are those of
    its name."""
    if told is None:
        return encoded
    raw = bytes(told)
    return encoded if raw == encoded else raw


def _are_same(name: str, raw: bytes) -> bool:
    """Whether a name stands for bytes that are no text by themselves: pieces of a character."""
    written = name.removeprefix("bytes:").encode("utf-8", "surrogatepass")
    if _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), written) == raw:
        return True
    return raw.decode("utf-8", "replace") == name


def _found_in(value: object, name: str, depth: int = 0) -> Iterator[str]:
    """What stands under a name anywhere in something of another form, for somebody may join it.
    What is deeper than anything is read is read nowhere."""
    if depth > DEEPEST:
        return
    if isinstance(value, list | tuple):
        for item in value:
            yield from _found_in(item, name, depth + 1)
        return
    for key, item in (_fields(value) or {}).items():
        if key != name:
            yield from _found_in(item, name, depth + 1)
        elif isinstance(item, str):
            yield item
        elif item and _are_bytes(item):
            yield bytes(item).decode("utf-8", "replace")


def _fields(value: object) -> Mapping[Any, Any] | None:
    if type(value) is dict:
        return value
    if isinstance(value, BaseModel):
        return {**rebuild.fields_of(value), **(value.__pydantic_extra__ or {})}
    return None


def _text(value: object) -> str:
    """The text of a field, or of the parts that it consists of."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list | tuple):
        return ""
    return "".join(_text((_fields(part) or {}).get("text")) for part in value)
