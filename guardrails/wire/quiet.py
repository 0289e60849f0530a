"""Fields in which no text is expected: what may stand there and says nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

__all__ = [
    "BASE64",
    "CIPHER",
    "DATA_URL",
    "IDENTIFIER",
    "MOST_USED",
    "NO_CARD",
    "PIECE",
    "SEED",
    "USAGE",
    "Encoded",
    "Quiet",
    "spells_number",
]

NO_CARD = 1e11
"""Times in seconds are below it, the numbers of cards and accounts above."""

MOST_USED = 1e8
"""No reply has used as many of anything: a number of so many digits may be somebody's phone's."""

_SPELT_SHORTEST = 11
_SPELT = re.compile(
    r"(?<![A-Za-z0-9])"
    r"(?:[0-9](?:[_.:/+=-]*+[0-9]){10,}+|[0-9]{3}[.-][0-9]{2,3}[.-][0-9]{4})"
    r"(?![A-Za-z0-9])"
)
"""A card's, an account's or a phone's number between the letters of a word. Dates of models and
times in seconds have fewer digits; in what is made of letters and digits nobody finds one."""


def spells_number(text: str) -> bool:
    return len(text) >= _SPELT_SHORTEST and _SPELT.search(text) is not None


@dataclass(frozen=True, slots=True)
class Quiet:
    """No text is expected, here or below: numbers below `most`, and strings of a closed form. A
    string of any other form, or in which a long number is spelt, is text. `names` are the only
    names of fields that say nothing, where they are all known."""

    form: re.Pattern[str]
    most: float = NO_CARD
    names: frozenset[str] | None = None

    def passes(self, text: str) -> bool:
        """Whether a string says nothing."""
        if self.form.fullmatch(text) is None:
            return False
        return len(text) < _SPELT_SHORTEST or _SPELT.search(text) is None

    def knows(self, name: str) -> bool:
        """Whether the name of a field says nothing."""
        return self.passes(name) if self.names is None else name in self.names


_CODED = re.compile(r"[A-Za-z0-9+/_-]*+")
PIECE = 1 << 20
"""Characters that are looked through in a few milliseconds: no other thread gets its turn then."""


@dataclass(frozen=True, slots=True)
class Encoded(Quiet):
    """What an attachment is made of, in base64; `form` is what stands before that. Anything else in
    its place, such as the address that it is to be had from, is text."""

    def passes(self, text: str) -> bool:
        """Megabytes of letters and digits: no number is looked for in them."""
        begin, end = self.form.match(text), len(text)
        if begin is None:
            return False
        end -= text.endswith("=") + text.endswith("==")
        return all(
            _CODED.fullmatch(text, at, min(at + PIECE, end)) is not None
            for at in range(begin.end(), end, PIECE)
        )


IDENTIFIER = Quiet(
    re.compile(
        r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_.:/+=-]{1,64}"  # a name: of a model, of a value, an id
        r"|[0-9_.:/+=-]{1,10}"  # a date or a small number: too short for a card's or a phone's
        r"|[A-Z][a-z]{2,8} [0-9]{1,2}, [0-9]{4}"  # as a page's age is told
        r"|[\t\n\r -/:-@\[-`{-~]{0,16}"  # marks without a word, where a model shall stop
    )
)
CIPHER = Quiet(re.compile(rf"{IDENTIFIER.form.pattern}|[A-Za-z0-9+/_-]*={{0,2}}"))
"""What a provider has signed or encrypted for itself."""

_DATA = r"data:[a-z0-9.+/-]{0,100};base64,"
DATA_URL = Encoded(re.compile(_DATA, re.IGNORECASE), names=frozenset())
BASE64 = Encoded(re.compile(rf"(?:{_DATA})?", re.IGNORECASE), names=frozenset())

SEED = replace(IDENTIFIER, most=float("inf"))
"""A number that says nothing, however long it is."""

_USED = (
    "accepted_prediction_tokens audio_tokens cache_creation cache_creation_input_tokens "
    "cache_read_input_tokens cache_write_tokens cache_write_tokens_details cached_tokens "
    "completion_tokens completion_tokens_details ephemeral_1h_input_tokens "
    "ephemeral_5m_input_tokens fallback_credit image_tokens inference_geo input_tokens "
    "input_tokens_details iterations model num_requests output_tokens output_tokens_details "
    "prompt_tokens prompt_tokens_details reasoning_tokens rejected_prediction_tokens "
    "server_tool_use service_tier speed text_tokens thinking_tokens tool_use_prompt_tokens "
    "total_tokens type web_fetch_requests web_search_requests "
    # Vendors' own.
    "completion_time cost cost_details is_byok num_sources_used prompt_cache_hit_tokens "
    "prompt_cache_miss_tokens prompt_time queue_time total_time "
    "upstream_inference_completions_cost upstream_inference_cost upstream_inference_prompt_cost "
    "video_tokens "
)
USAGE = replace(IDENTIFIER, most=MOST_USED, names=frozenset(_USED.split()))
"""What a reply has used."""
