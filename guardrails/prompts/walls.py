"""Judged text between delimiters that it cannot know, with whatever looks like ours made harmless.

Every replacement is one character for one, so that a span in what a model saw is the same span in
the text. Source: Willison on delimiters, 2023; Hines et al., "Spotlighting", 2024.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

from guardrails.text.normalise import INVISIBLE

__all__ = ["Wall", "harmless"]

_HARMLESS = str.maketrans(dict.fromkeys("<＜﹤", "‹") | dict.fromkeys(">＞﹥", "›") | {"[": "〔"})
_GAP = INVISIBLE.pattern.removesuffix("+") + "{0,4}"
_OPEN, _SHUT = "[<＜﹤]", "[>＞﹥]"
_TEMPLATES = re.compile(
    rf"(?:{_OPEN}{_GAP}){{2,}}{_OPEN}|(?:{_SHUT}{_GAP}){{2,}}{_SHUT}"
    rf"|{_OPEN}{_GAP}[|｜][^|｜<>\n]{{0,40}}[|｜]{_GAP}{_SHUT}"
    r"|<</?SYS>>|</?s>|</?(?:bos|eos|pad|unk|mask|cls|sep)>|<(?:start|end)_of_(?:turn|image)>"
    r"|</?(?:think|tool_call|tool_response|tools|extra_id_\d{1,2})>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|THINK|ARGS"
    r"|CALL_ID|IMG|PREFIX|SUFFIX|MIDDLE|gMASK|sMASK)\]",
    re.IGNORECASE,
)
"""Our own delimiters, also where they are written with wide brackets or with something invisible in
between, and the control tokens of widespread chat templates, which some servers read in the middle
of a text. What stands in their place is not put back by NFKC, which some tokenisers apply. Bounded,
so linear."""


def harmless(text: str) -> str:
    """The text without anything that could be taken for a delimiter or a control token. As long as
    before, character for character."""
    return _TEMPLATES.sub(lambda marker: marker[0].translate(_HARMLESS), text)


@dataclass(frozen=True, slots=True)
class Wall:
    """One request's delimiters. The token is new each time, so no text can hold it."""

    token: str = field(default_factory=lambda: secrets.token_hex(8))

    def begin(self, name: str) -> str:
        return f"<<<BEGIN {name} {self.token}>>>"

    def end(self, name: str) -> str:
        return f"<<<END {name} {self.token}>>>"

    def around(self, name: str, text: str) -> str:
        """The text, made harmless, between the delimiters."""
        return f"{self.begin(name)}\n{harmless(text)}\n{self.end(name)}"
