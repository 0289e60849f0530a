"""Text from outside, made safe for a terminal: nothing invisible, nothing that a terminal obeys.

Judged text and YAML may hold escape sequences, direction overrides and characters of no width; on
a screen they could rewrite a report or hide what was found. Here they become signs one can read.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["visible"]

TAB = "    "
JOINERS = "\u200c\u200d\ufe0e\ufe0f"
"""Joiners and presentation selectors: part of ordinary writing and emoji after a character that is
not ASCII, smuggled in after one that is."""

UNSEEN = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Characters that show nothing though their category says otherwise. Source: Unicode's
Default_Ignorable_Code_Point, and the blank Braille pattern."""

_SUSPECT = re.compile(r"\r\n|[^\n\x20-\x7e]")


def visible(text: str) -> str:
    """The same text for a screen: line breaks stay, tabs become blanks, signs stand for the rest.

    Length may change: cut a text at its spans first, then make the pieces visible.
    """
    if text.isascii() and text.isprintable():
        return text
    return _SUSPECT.sub(lambda hit: _sign(hit[0], text[hit.start() - 1 : hit.start()]), text)


def _sign(character: str, before: str) -> str:
    if character == "\r\n":
        return "\n"
    if character == "\t":
        return TAB
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)  # Control Pictures: ␛ for ESC
    if code == 0x7F:
        return "␡"
    if character in JOINERS and before and not before.isascii():
        return character
    if character in UNSEEN or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return f"‹U+{code:04X}›"
    return character
